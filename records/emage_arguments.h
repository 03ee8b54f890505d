
/*
 * Copyright (C) The e-mage authors
 *
 * The command line of emage-consent.
 */


#ifndef EMAGE_ARGUMENTS_H
#define EMAGE_ARGUMENTS_H


#include "emage_edit.h"


typedef struct {
    emage_records_conf_t   conf;
    emage_edit_t           edit;
    const char            *patient;
    const char            *identifier;
    const char            *study;
    char                   pid[EMAGE_PID_LEN + 1];   /* of the one selected */
    int64_t                interval;         /* ms between looks */
    int64_t                settle;           /* ms, age of the abandoned */
    bool                   once;
    bool                   without_ledger;
    bool                   help;
    int                    nargs;            /* words that are no options */
    char                 **args;
} emage_arguments_t;

/*
 * Parses the options after a command's name (argv[0]); lists are cut in place.
 * EMAGE_ERROR says what is wrong, but for an unknown option, which getopt has
 * told already (the text is then "see --help").
 */

emage_rc_t emage_arguments_parse(int argc, char **argv,
    emage_arguments_t *out, emage_error_t *err);


#endif /* EMAGE_ARGUMENTS_H */
