// Copyright (C) The e-mage authors
//
// Opens a page of the viewer with a session and prints what is seen, as JSON:
// the text, how many colours the largest canvas has, the hosts asked.
//
// usage: node viewer.js MODULES CHROMIUM BASE SESSION PATH

const path = require('path');
const [modules, executablePath, base, session, page_path] =
    process.argv.slice(2);
const { chromium } = require(path.join(modules, 'playwright-core'));

// Draws the canvas once more in a 2D one, which can be read.

function look() {
    let best = 0;

    for (const canvas of document.querySelectorAll('canvas')) {
        if (canvas.width < 64 || canvas.height < 64) { continue; }

        const copy = document.createElement('canvas');
        copy.width = canvas.width;
        copy.height = canvas.height;
        const c = copy.getContext('2d');
        c.drawImage(canvas, 0, 0);
        const d = new Uint32Array(
            c.getImageData(0, 0, copy.width, copy.height).data.buffer);
        best = Math.max(best, new Set(d).size);
    }

    return { colours: best, text: document.body.innerText };
}

async function main() {
    const browser = await chromium.launch({ executablePath, args: [
        '--no-sandbox', '--disable-gpu', '--use-gl=angle',
        '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
        '--disable-quic', '--disable-background-networking' ] });
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    await context.addCookies([{ name: '__Host-emage', value: session,
        url: base, secure: true, httpOnly: true, sameSite: 'Lax' }]);
    const page = await context.newPage();
    const hosts = new Set();

    page.on('request', (r) => {
        if (/^http/.test(r.url())) { hosts.add(new URL(r.url()).host); }
    });

    await page.goto(base + page_path, { waitUntil: 'domcontentloaded' });

    let seen;
    const until = Date.now() + 12000;

    do {
        await page.waitForTimeout(1000);
        seen = await page.evaluate(look);
    } while (Date.now() < until && seen.colours <= 16);

    console.log(JSON.stringify({ ...seen, hosts: [...hosts] }));
    await browser.close();
}

main().catch((e) => { console.error(e); process.exit(1); });
