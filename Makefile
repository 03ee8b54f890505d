# e-mage: nginx module, policy engine, store builder, journal.
#
# Everything built lies under build/.  "make help" lists the targets.

SHELL        := /bin/bash
BUILD        ?= build
CC           ?= gcc
CXX          ?= g++
SANITIZE     ?=
OPT          ?= -O2 -g
NGX_SRC      ?= /usr/share/nginx/src

WARN         := -Wall -Wextra -Werror
CPPFLAGS     += -Ipolicy/include -Ijournal -Irecords -Idicom-store \
                -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
CFLAGS       += -std=gnu11 $(OPT) $(WARN) $(SANITIZE) -fPIC \
                -fvisibility=hidden -fno-strict-aliasing
CXXFLAGS     += -std=c++17 $(OPT) $(WARN) $(SANITIZE) -fPIC \
                -fvisibility=hidden
LDFLAGS      += $(SANITIZE) -Wl,-z,relro,-z,now

# V=1 shows whole commands.

ifeq ($(V),1)
say          := @:
Q            :=
else
say          := @echo " "
Q            := @
endif

# One archive a room, so that a room is built and tested by itself.

ROOMS        := base cedar tool resource token consent
LIB          := $(BUILD)/lib

room_objects  = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))

LIB_base     := $(LIB)/libemage_base.a
LIB_cedar    := $(LIB)/libemage_cedar.a
LIB_tool     := $(LIB)/libemage_tool.a
LIB_resource := $(LIB)/libemage_resource.a
LIB_token    := $(LIB)/libemage_token.a
LIB_consent  := $(LIB)/libemage_consent.a
LIB_journal  := $(LIB)/libemage_journal.a
LIB_records  := $(LIB)/libemage_records.a
LIB_store    := $(LIB)/libemage_store.a

# Link order: a room stands before the rooms it uses.

LIBS_policy  := $(LIB_consent) $(LIB_cedar) $(LIB_token) $(LIB_resource) \
                $(LIB_base)
LIBS_module  := $(LIB_journal) $(LIBS_policy)

EXT_policy   := -ljansson -lcjose -lcrypto -lz
EXT_records  := -lhiredis
EXT_store    := -ldcmjpls -ldcmjpeg -lijg8 -lijg12 -lijg16 -ldcmimage \
                -ldcmimgle -ldcmdata -loflog -lofstd -lstdc++ -lm -lpthread

BIN          := $(BUILD)/bin
TOOLS        := $(patsubst cli/%.c,$(BIN)/%,$(wildcard cli/emage-*.c))
MODULE       := $(BUILD)/modules/ngx_http_emage_module.so


.PHONY: all help build tools module unit demo demo-stop test test-long \
        asan fuzz lint bench conformance bench-policy clean

all: build

help:                   ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) \
	    | sed -E 's/^([a-z-]+):[^#]*##[ ]*/  \1\t/' | expand -t 18

build: tools module     ## build the tools and the nginx module into build/

tools: $(TOOLS)

module: $(MODULE)

demo:                   ## install, build, start a node, show it; stays up
	@conf/demo/install demo
	@$(MAKE) --no-print-directory build
	@conf/demo/modules viewer $(BUILD)
	@DICOM="$(DICOM)" CONSENT="$(CONSENT)" WORKERS="$(WORKERS)" \
	    conf/demo/demo start $(BUILD)

demo-stop:              ## stop what "make demo" started
	@conf/demo/demo stop $(BUILD)

test:                   ## install, build, run every test, again under ASan
	@conf/demo/install test
	@$(MAKE) --no-print-directory build unit
	@conf/demo/modules test build
	@$(MAKE) --no-print-directory asan
	@t/run

test-long:              ## the longest proofs, and fuzzing for a while
	@conf/demo/install long
	@$(MAKE) --no-print-directory test
	@EMAGE_LONG=1 t/run
	@t/long/run $(BUILD)
	@$(MAKE) --no-print-directory fuzz

asan:                   ## the same build under ASan and UBSan, in build/asan
	@$(MAKE) --no-print-directory BUILD=build/asan \
	    OPT="-O1 -g -fno-omit-frame-pointer" \
	    SANITIZE="-fsanitize=address,undefined" build

fuzz: module            ## run every fuzz target (FUZZ_SECONDS=60 each)
	@t/fuzz/run $(BUILD)/fuzz $(or $(FUZZ_SECONDS),60)

lint:                   ## house rules: arrows, banned calls, sizes
	@prove t/05-lint.t

bench:                  ## requests a second beside bare nginx
	@conf/demo/install test
	@$(MAKE) --no-print-directory build
	@t/bench/run $(BUILD)

conformance: tools      ## Cedar's whole public suite: agree/total
	@t/conformance $(BUILD)

bench-policy: $(BUILD)/bench/policy  ## decisions a second
	@$(BUILD)/bench/policy

clean:                  ## stop the demonstration, remove what was built
	@conf/demo/demo stop $(BUILD)
	rm -rf $(BUILD)


# objects

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) cc $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(say) c++ $<
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# holds the text of the Redis functions

$(BUILD)/obj/policy/consent/functions.o: $(wildcard policy/consent/*.lua)

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(say) ar $@
	$(Q)$(AR) rcs $@ $^
endef

$(LIB_base):     $(call room_objects,policy/base)     ; $(archive)
$(LIB_cedar):    $(call room_objects,policy/cedar)    ; $(archive)
$(LIB_tool):     $(call room_objects,policy/tool)     ; $(archive)
$(LIB_resource): $(call room_objects,policy/resource) ; $(archive)
$(LIB_token):    $(call room_objects,policy/token)    ; $(archive)
$(LIB_consent):  $(call room_objects,policy/consent)  ; $(archive)
$(LIB_journal):  $(call room_objects,journal)         ; $(archive)
$(LIB_records):  $(call room_objects,records)         ; $(archive)
$(LIB_store):    $(call room_objects,dicom-store) \
                 $(BUILD)/obj/dicom-store/dcmtk_bridge.o ; $(archive)


# tools: one file each

link_tool = @mkdir -p $(@D); \
            echo "link $@"; \
            $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(BIN)/emage-policy: $(BUILD)/obj/cli/emage-policy.o $(LIB_tool) \
                     $(LIB_records) $(LIB_journal) $(LIBS_policy)
	$(link_tool) $(EXT_policy) $(EXT_records)

$(BIN)/emage-token: $(BUILD)/obj/cli/emage-token.o $(LIB_tool) \
                    $(LIB_records) $(LIB_journal) $(LIBS_policy)
	$(link_tool) $(EXT_policy) $(EXT_records)

$(BIN)/emage-audit: $(BUILD)/obj/cli/emage-audit.o $(LIB_journal) $(LIBS_policy)
	$(link_tool) $(EXT_policy)

$(BIN)/emage-consent: $(BUILD)/obj/cli/emage-consent.o $(LIB_records) \
                      $(LIB_journal) $(LIBS_policy)
	$(link_tool) $(EXT_policy) $(EXT_records)

$(BIN)/emage-store: $(BUILD)/obj/cli/emage-store.o $(LIB_store) \
                    $(LIB_records) $(LIB_journal) $(LIBS_policy)
	$(link_tool) $(EXT_policy) $(EXT_records) $(EXT_store)


# C unit tests: t/unit/NAME.c prints TAP; it links every pure archive

UNIT := $(patsubst t/unit/%.c,$(BUILD)/unit/%,$(wildcard t/unit/*.c))

$(BUILD)/unit/%: $(BUILD)/obj/t/unit/%.o $(LIB_records) $(LIBS_module)
	$(link_tool) $(EXT_policy) $(EXT_records)

$(BUILD)/unit/store%: $(BUILD)/obj/t/unit/store%.o $(LIB_store) $(LIB_records) \
                      $(LIBS_module)
	$(link_tool) $(EXT_policy) $(EXT_records) $(EXT_store)

unit: $(UNIT)


# figures of pure parts: t/bench/NAME.c

$(BUILD)/bench/%: $(BUILD)/obj/t/bench/%.o $(LIBS_policy)
	$(link_tool) $(EXT_policy)


# the nginx module, against Debian's nginx-dev

# Configured when the build file or the set of sources changes; nginx's own
# Makefile then compiles what has changed.  One at a time: it is one directory.

NGX          := $(abspath $(BUILD))/nginx
NGX_FILES    := $(sort $(wildcard ngx_emage_module/*))

$(BUILD)/nginx/configured: config | $(LIBS_module)
	@mkdir -p $(@D)
	$(say) configure the module against $(NGX_SRC)
	$(Q)exec 9> $(NGX)/lock && flock 9 && cp -r $(NGX_SRC)/. $(NGX)/ && \
	    cd $(NGX) && . ./conf_flags && EMAGE_BUILD=$(abspath $(BUILD)) \
	    ./configure "$${NGX_CONF_FLAGS[@]}" --builddir=$(NGX)/objs \
	    --with-cc-opt="-g -O2 -Wextra $(SANITIZE)" \
	    --with-ld-opt="-Wl,-z,relro,-z,now $(SANITIZE)" \
	    --add-dynamic-module=$(CURDIR) > configure.log 2>&1 \
	    || { tail -20 configure.log; exit 1; }
	@echo "$(NGX_FILES)" > $(NGX)/files
	@touch $@

ifneq ($(shell cat $(BUILD)/nginx/files 2>/dev/null),$(NGX_FILES))
.PHONY: $(BUILD)/nginx/configured
endif

$(MODULE): $(BUILD)/nginx/configured $(NGX_FILES) $(LIBS_module)
	@mkdir -p $(@D)
	$(say) make $@
	+@flock $(NGX)/lock $(MAKE) --no-print-directory -C $(NGX) \
	    -f $(NGX)/objs/Makefile modules > $(NGX)/make.log 2>&1 \
	    || { grep -B2 -A8 -E 'error|warning' $(NGX)/make.log; exit 1; }
	@# a new file: a running nginx has the old one mapped
	@cp $(NGX)/objs/ngx_http_emage_module.so $@.new
	@mv $@.new $@


-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
