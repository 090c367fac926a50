//! Rows for bytes that are no message, and for how much one message may hold.

use dhcpv6macd::{respond::Reason, wire::Malformed};

use super::{
    Envelope, Outcome, Row,
    answer::{advertise, reply},
    packet::{
        CLIENT_FQDN, CLIENT_ID, ELAPSED_TIME, IA_NA, IA_PD, IA_TA, IAADDR, IAID, IAPREFIX, Message, OPTION_REQUEST,
        RAPID_COMMIT, REBIND, RENEW, SOLICIT, WRONG, bare, message, option, timed,
    },
};

/// Most options of a message, and most identity associations.
const OPTIONS: usize = 64;
const ASSOCIATIONS: u32 = 16;

pub(super) fn rows() -> Vec<Row> {
    [messages(), duids(), lengths(), overruns(), amounts()].concat()
}

fn malformed(name: &'static str, description: &'static str, message: &Message, malformed: Malformed) -> Row {
    Row::dropped(name, description, message, malformed)
}

fn messages() -> Vec<Row> {
    let sent = |payload: &[u8]| Envelope::default().around(payload);
    let row = |description, payload: &[u8], malformed| {
        Row::steered("D_message", description, sent(payload), Outcome::Dropped(Reason::Malformed(malformed)))
    };
    vec![
        row("nothing at all", &[], Malformed::MessageLength),
        row("a type and nothing else", &[SOLICIT], Malformed::MessageLength),
        row("two bytes of a transaction ID", &[SOLICIT, 1, 2], Malformed::MessageLength),
        row("type 0", &[0, 1, 2, 3], Malformed::MessageType),
        row("a type of later RFCs", &[14, 1, 2, 3], Malformed::MessageType),
        row("type 255", &[255], Malformed::MessageType),
        Row::dropped("D_message", "whole, but nobody's", &bare(SOLICIT), Reason::NoClientId),
    ]
}

fn duids() -> Vec<Row> {
    const NAME: &str = "D11_duid";
    let of = |duid: &[u8]| bare(SOLICIT).option(CLIENT_ID, duid).ia_na(IAID, &[]);
    let wrong = |description, duid: &[u8]| malformed(NAME, description, &of(duid), Malformed::DuidLength);
    let right = |description, duid: &[u8]| {
        let answer = advertise().given(IAID);
        Row::answered(NAME, description, &of(duid), super::Answer { client_id: Some(duid.to_vec()), ..answer })
    };
    vec![
        wrong("empty", &[]),
        wrong("a type and nothing else", &[0, 9]),
        wrong("131 bytes", &[9; 131]),
        wrong("a DUID-LL without an address: it stopped the Go daemon of this name", &[0, 3, 0, 1]),
        wrong("a DUID-LLT that ends in its time", &[0, 1, 0, 1, 0, 0, 0]),
        wrong("a DUID-EN without identifier", &[0, 2, 0, 0, 1, 0x57]),
        wrong("a DUID-UUID that is a byte short", &[&[0, 4][..], &[7; 15]].concat()),
        right("a DUID-LL with a short address is as good as any: nobody looks into it", &[0, 3, 0, 1, 9]),
        right("a type that nobody knows, with one byte", &[9, 9, 9]),
        right("130 bytes", &[9; 130]),
        malformed(
            NAME,
            "a second Client Identifier",
            &message(SOLICIT).option(CLIENT_ID, &[9; 9]),
            Malformed::DuplicateIdentifier,
        ),
        malformed(
            NAME,
            "a second Server Identifier",
            &message(RENEW).for_us().for_us(),
            Malformed::DuplicateIdentifier,
        ),
        malformed(NAME, "a Server Identifier of two bytes", &message(RENEW).option(2, &[0, 3]), Malformed::DuidLength),
    ]
}

fn lengths() -> Vec<Row> {
    let row = |description, code, data: &[u8]| {
        malformed("D21_option_length", description, &message(SOLICIT).option(code, data), Malformed::OptionLength)
    };
    vec![
        row("an IA_NA without T2", IA_NA, &[0; 11]),
        row("an IA_PD without T2", IA_PD, &[0; 11]),
        row("an IA_TA without the end of its IAID", IA_TA, &[0; 3]),
        row("an IAADDR without valid lifetime", IA_NA, &timed(IAID, option(IAADDR, &[0; 23]))),
        row("an IAPREFIX without prefix", IA_PD, &timed(IAID, option(IAPREFIX, &[0; 24]))),
        row("half an option requested", OPTION_REQUEST, &[0, 23, 0]),
        row("an Elapsed Time of a byte", ELAPSED_TIME, &[0]),
        row("an Elapsed Time of three bytes", ELAPSED_TIME, &[0; 3]),
        row("a Rapid Commit with something in it", RAPID_COMMIT, &[0]),
        row("a Client FQDN without flags", CLIENT_FQDN, &[]),
        row("a Client FQDN longer than any name", CLIENT_FQDN, &[0; 257]),
    ]
}

fn overruns() -> Vec<Row> {
    let row = |description, message: &Message| {
        malformed("D21_option_overrun", description, message, Malformed::OptionOverrun)
    };
    let whole = || message(SOLICIT).ia_na(IAID, &[]);
    vec![
        row("a byte behind the last option", &whole().raw(&[0])),
        row("an option without data", &whole().raw(&[0, 23, 0, 1])),
        row("an option of 65 535 bytes", &whole().raw(&[0, 23, 0xff, 0xff, 0])),
        row("an IA_NA that ends in the header of an option", &whole().option(IA_NA, &timed(IAID, [0, 5, 0]))),
        row("an IAADDR longer than its IA_NA", &whole().option(IA_NA, &timed(IAID, [0, 5, 0, 24, 0x20]))),
        row("an IAPREFIX longer than its IA_PD", &whole().option(IA_PD, &timed(IAID, [0, 26, 0, 25, 0x20]))),
        row(
            "a Status Code longer than its IAADDR",
            &whole().option(IA_NA, &timed(IAID, option(IAADDR, &[&[0x20; 24][..], &[0, 13, 0, 2]].concat()))),
        ),
    ]
}

fn amounts() -> Vec<Row> {
    // Client Identifier and IA_NA are two of them.
    let options =
        |count: usize| (2..count).fold(message(SOLICIT).ia_na(IAID, &[]), |message, _| message.option(65_001, &[]));
    let associations = |count| (0..count).fold(message(SOLICIT), |message, iaid| message.ia_na(iaid, &[]));
    let addresses = |count| message(REBIND).ia_na(IAID, &vec![WRONG; count]);
    let refused = (1..ASSOCIATIONS).fold(advertise().given(0), |answer, iaid| answer.refused(IA_NA, iaid));
    vec![
        Row::answered("L_options", "64 of them", &options(OPTIONS), advertise().given(IAID)),
        malformed("L_options", "65 of them", &options(OPTIONS + 1), Malformed::TooManyOptions),
        Row::answered("L_associations", "16 of them: each has its answer", &associations(ASSOCIATIONS), refused),
        malformed("L_associations", "17 of them", &associations(ASSOCIATIONS + 1), Malformed::TooManyAssociations),
        Row::answered(
            "L_reply",
            "48 wrong addresses, each of which ends",
            &addresses(48),
            reply().given_and_ended(IAID, &[WRONG; 48]),
        ),
        Row::dropped(
            "L_reply",
            "49 wrong addresses: the reply would not fit one packet",
            &addresses(49),
            Reason::ReplyTooLong,
        ),
        Row::steered(
            "L_reply_port",
            "from another port than 546: the answer goes to 546 all the same",
            Envelope { source_port: 1024, ..Envelope::default() }.around(message(SOLICIT).bytes()),
            Outcome::Answered(Box::new(advertise())),
        ),
    ]
}
