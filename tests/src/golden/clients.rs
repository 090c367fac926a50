//! Rows for what boot clients insist on: EDK2 (E rules) and U-Boot (U rules).

use super::{
    Row,
    answer::{NOT_ON_LINK, SUCCESS, advertise, reply},
    packet::{
        CLIENT_ID, CONFIRM, DECLINE, IA_NA, IAID, OTHER_IAID, RAPID_COMMIT, REBIND, RELEASE, RENEW, REQUEST, SOLICIT,
        WRONG, bare, iaaddr, message, option, right, timed,
    },
};

pub(super) fn rows() -> Vec<Row> {
    [identifiers(), addresses(), sessions()].concat()
}

fn identifiers() -> Vec<Row> {
    vec![
        Row::answered(
            "E1_an_answer_has_the_transaction_and_both_identifiers",
            "the everyday Solicit",
            &message(SOLICIT).ia_na(IAID, &[]),
            advertise().given(IAID),
        ),
        Row::answered(
            "E4_every_boot_stage_has_its_iaid",
            "the same machine in its next stage, with another IAID: the same address",
            &message(SOLICIT).ia_na(OTHER_IAID, &[]),
            advertise().given(OTHER_IAID),
        ),
        Row::answered(
            "E12_a_duid_is_opaque",
            "a DUID-LLT that holds somebody else's MAC: the address is that of the Ethernet source",
            &bare(SOLICIT).option(CLIENT_ID, b"\0\x01\0\x01time\x02\0\0\0\0\x99").ia_na(IAID, &[]),
            super::Answer { client_id: Some(b"\0\x01\0\x01time\x02\0\0\0\0\x99".to_vec()), ..advertise().given(IAID) },
        ),
        Row::answered(
            "E2_no_option_is_repeated",
            "what the machine sends for the server to read does not come back: architecture, vendor class, an unknown option",
            &message(SOLICIT)
                .option(61, &[0, 7])
                .option(16, b"\0\0\x01\x57\0\x06Vendor")
                .option(65_001, b"?")
                .ia_na(IAID, &[]),
            advertise().given(IAID),
        ),
    ]
}

fn addresses() -> Vec<Row> {
    vec![
        Row::answered(
            "E3_success_is_said_by_silence",
            "an Advertise with an address has no Status Code, neither at the top nor in its IA_NA",
            &message(SOLICIT).ia_na(IAID, &[right()]),
            advertise().given(IAID),
        ),
        Row::answered(
            "E5_times_are_explicit",
            "T1, T2 and lifetimes are the server's, whatever the machine wishes",
            &message(SOLICIT).option(IA_NA, &[&IAID.to_be_bytes()[..], &[0; 7], &[1]].concat()),
            advertise().given(IAID),
        ),
        Row::answered(
            "E6_a_request_gets_its_association",
            "a Request for the advertised address",
            &message(REQUEST).for_us().ia_na(IAID, &[right()]),
            reply().given(IAID),
        ),
        Row::answered(
            "E6_a_renew_gets_its_association",
            "a Renew",
            &message(RENEW).for_us().ia_na(IAID, &[right()]),
            reply().given(IAID),
        ),
        Row::answered(
            "E6_a_rebind_gets_its_association",
            "a Rebind, to any server",
            &message(REBIND).ia_na(IAID, &[right()]),
            reply().given(IAID),
        ),
        Row::answered(
            "U1_a_successful_association_holds_one_address",
            "a Request for a wrong address: the right one alone, and nothing about the other",
            &message(REQUEST).for_us().ia_na(IAID, &[WRONG]),
            reply().given(IAID),
        ),
        Row::answered(
            "U1_lifetimes_and_options_inside_an_address_are_not_repeated",
            "a Solicit that names an address with an option in it",
            &message(SOLICIT).option(
                IA_NA,
                &timed(IAID, option(5, &[&right().octets()[..], &[0; 8], &option(13, &[0, 0])[..]].concat())),
            ),
            advertise().given(IAID),
        ),
        Row::answered(
            "E11_no_server_unicast",
            "a Request that asks for Server Unicast (12): none is sent",
            &message(REQUEST).for_us().option(6, &[0, 12]).ia_na(IAID, &[right()]),
            reply().given(IAID),
        ),
    ]
}

fn sessions() -> Vec<Row> {
    vec![
        Row::answered(
            "E7_rapid_commit_where_it_is_asked_for",
            "a Solicit with Rapid Commit gets the Reply at once",
            &message(SOLICIT).option(RAPID_COMMIT, &[]).ia_na(IAID, &[]),
            super::Answer { rapid_commit: true, ..reply().given(IAID) },
        ),
        Row::answered(
            "E7_rapid_commit_only_in_answer_to_a_solicit",
            "a Request with Rapid Commit, where it means nothing",
            &message(REQUEST).for_us().option(RAPID_COMMIT, &[]).ia_na(IAID, &[]),
            reply().given(IAID),
        ),
        Row::answered(
            "E8_preference_255",
            "a Solicit without any IA is advertised to all the same",
            &message(SOLICIT),
            advertise(),
        ),
        Row::answered(
            "E9_a_release_is_answered",
            "a Release: Success, for whoever waits for it",
            &message(RELEASE).for_us().ia_na(IAID, &[right()]),
            reply().status(SUCCESS),
        ),
        Row::answered(
            "E9_a_decline_is_answered",
            "a Decline: Success; the address stays the machine's only one",
            &message(DECLINE).for_us().ia_na(IAID, &[right()]),
            reply().status(SUCCESS),
        ),
        Row::answered(
            "E10_a_confirm_gets_its_association_back",
            "a Confirm of the right address: Success, and the IA_NA with its lifetimes",
            &message(CONFIRM).ia_na(IAID, &[right()]),
            reply().status(SUCCESS).given(IAID),
        ),
        Row::answered(
            "E10_a_confirm_of_two_gets_both_back",
            "two IA_NAs that both name the right address",
            &message(CONFIRM).ia_na(IAID, &[right()]).ia_na(OTHER_IAID, &[right()]),
            reply().status(SUCCESS).given(IAID).given(OTHER_IAID),
        ),
        Row::answered(
            "E10_a_confirm_of_a_wrong_address_starts_anew",
            "one of two addresses is wrong: NotOnLink, and nothing else",
            &message(CONFIRM).option(IA_NA, &timed(IAID, [iaaddr(right()), iaaddr(WRONG)].concat())),
            reply().status(NOT_ON_LINK),
        ),
    ]
}
