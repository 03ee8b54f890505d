// Copyright (C) The e-mage authors
//
// What dicomweb-client finds: its searches, one after another, as JSON lines
// of [name, number of rows, UIDs].
//
// usage: node dicomweb_client.js MODULES URL TOKEN STUDY SERIES

const path = require('path');
const [modules, url, token, studyInstanceUID, seriesInstanceUID] =
    process.argv.slice(2);

global.XMLHttpRequest = require(path.join(modules, 'xhr2'));
const { api } = require(path.join(modules, 'dicomweb-client'));

const client = new api.DICOMwebClient({
    url, headers: { Authorization: `Bearer ${token}` },
});

const uids = (rows, tag) => rows.map((row) => row[tag].Value[0]);

async function main() {
    const print = (name, rows, tag) =>
        console.log(JSON.stringify([name, rows.length, uids(rows, tag)]));

    print('studies', await client.searchForStudies(), '0020000D');
    print('studies, filtered', await client.searchForStudies({
        queryParams: { PatientName: 'm*', StudyDate: '20240101-20241231',
                       limit: 10, offset: 0 },
    }), '0020000D');
    print('studies, none', await client.searchForStudies({
        queryParams: { PatientID: 'nobody' } }), '0020000D');
    print('series', await client.searchForSeries({ studyInstanceUID }),
          '0020000E');
    print('instances', await client.searchForInstances({
        studyInstanceUID, seriesInstanceUID,
        queryParams: { limit: 2 } }), '00080018');
    print('all instances', await client.searchForInstances({
        studyInstanceUID }), '00080018');

    try {
        await client.searchForStudies({ queryParams: { StudyDate: 'x' } });
        print('bad', [], '');
    } catch (e) {
        console.log(JSON.stringify(['bad', e.status, []]));
    }
}

main().catch((e) => { console.error(e); process.exit(1); });
