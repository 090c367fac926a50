//! The live rack page in a real browser: every machine is there, what stands still comes first, and nobody's words become markup.
#![cfg(test)]

mod script;

use std::{io::Write as _, time::Duration};

use dhcpv6macd_tests::{
    golden::{MACHINE, SOLICIT, message},
    lab::{Browser, Daemon, Host, MACHINE_INTERFACE, ROUTER_INTERFACE, Rack, WINDOW, key},
    population::Port,
};
use serde_json::{Map, Value, json};

use self::script::{Script, address, event, mac, quiet_rack, rack, repeated, stalled, transfer};

/// How long the page may take to show something on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(20);
/// The machines' own part of the tiles that exist, as they stand.
const MACS: &str = "[...document.querySelectorAll('.tile')].map(tile => tile.dataset.mac.slice(-2)).join(' ')";
/// The one that has the focus.
const FOCUS: &str = "document.activeElement.dataset.mac?.slice(-2) ?? document.activeElement.id";
const LINK: &str = "document.body.dataset.link";

struct Scene {
    script: Script,
    browser: Browser,
}

impl Scene {
    fn new(snapshot: Value) -> Self {
        let host = Host::new("operator").unwrap();
        let scene = Self { script: Script::start(&host, snapshot), browser: Browser::start(&host).unwrap() };
        scene.browser.open(&format!("http://{}/", scene.script.address)).unwrap();
        scene
    }

    #[track_caller]
    fn shows(&self, expression: &str, value: impl Into<Value>) {
        self.browser.wait_for(LIMIT, expression, &value.into()).unwrap();
    }

    /// What the page says in the first element of a selector.
    #[track_caller]
    fn says(&self, selector: &str, text: &str) {
        self.shows(&format!("document.querySelector({})?.innerText", json!(selector)), text);
    }

    fn press(&self, keys: &[char]) {
        keys.iter().for_each(|key| self.browser.press(*key).unwrap());
    }
}

#[test]
fn a_snapshot_becomes_tiles_and_an_event_changes_one() {
    let scene = Scene::new(quiet_rack(&["03", "01", "02"]));
    scene.shows(MACS, "01 02 03");
    scene.says("#total", "3");
    scene.script.tell(1, "02", &event("http_fetch_uki", 3.0, transfer("sending", 2_097_152)));
    scene.says("[data-mac$='02'] .words", "Loads image");
    scene.says("[data-mac$='02'] .figure", "50 %");
    scene.shows("document.querySelector('[data-mac$=\"02\"] .now').className", "now");
    scene.says("#legend [data-state=http_fetch_uki] b", "1");
    scene.script.tell(2, "02", &repeated(event("http_fetch_uki", 4.0, transfer("sending", 3_145_728))));
    scene.says("[data-mac$='02'] .figure", "75 %");
    scene.script.tell(3, "02", &event("os_init", 9.0, json!({})));
    scene.says("[data-mac$='02'] .line", "Up\nin 9.0 s");
    scene.script.tell(4, "04", &event("init", 9.0, json!({})));
    scene.shows(MACS, "01 02 03 04");
    scene.shows("document.title", "1 of 4 up");
    assert_eq!(scene.browser.complaints().unwrap(), Vec::<String>::new());
}

#[test]
fn what_stands_still_comes_first_with_its_reason() {
    let failed = json!({ "protocol": "http", "file_name": "boot.efi", "state": "error", "error": "truncated" });
    let begun = event("firmware_init", 0.0, json!({}));
    let scene = Scene::new(rack(&[
        ("01", std::slice::from_ref(&begun)),
        ("02", &[begun.clone(), event("http_fetch_uki", 1.0, failed)]),
        ("03", &[begun.clone(), event("fyi", 1.0, json!({ "message": "mac_conflict: two machines have one MAC" }))]),
        ("04", &[begun.clone(), stalled("Advertise sent, no Request for 10 s")]),
        ("05", &[begun.clone(), stalled("GET at 41 %"), event("resumed", 31.0, json!({}))]),
    ]));
    scene.shows(MACS, "04 02 03 01 05");
    scene.says("[data-mac$='04'] .words", "Advertise sent, no Request for 10 s");
    scene.says("[data-mac$='02'] .words", "truncated");
    scene.says("[data-mac$='03'] .words", "two machines have one MAC");
    scene.script.tell(1, "05", &stalled("GET at 42 %, no byte for 10 s"));
    scene.shows(MACS, "04 05 02 03 01");
    scene.says("#troubled", "3");
    scene.says("#booting", "2");
    scene.says("#spoken", &format!("Stalled: {}: GET at 42 %, no byte for 10 s", mac("05")));
    scene.script.tell(2, "04", &event("http_boot", 32.0, json!({})));
    scene.shows(MACS, "05 02 03 01 04");
    scene.browser.click("#legend [data-trouble=error]").unwrap();
    scene.shows(MACS, "02");
    scene.browser.click("#legend [data-trouble=error]").unwrap();
    scene.shows(MACS, "05 02 03 01 04");
}

#[test]
fn a_machine_is_found_by_any_spelling() {
    let scene = Scene::new(quiet_rack(&["01", "02", "1f"]));
    scene.shows(MACS, "01 02 1f");
    let spellings = [
        ("52:54:00:AB:CD:1F", "1f"),
        ("52-54-00-ab-cd-02", "02"),
        ("5254.00ab.cd01", "01"),
        ("525400abcd1f", "1f"),
        ("cd:0", "01 02"),
        ("2001:DB8:0:0:5054:00ff:feab:cd02", "02"),
        ("feab:cd1f", "1f"),
        ("52:54:01", ""),
    ];
    scene.press(&['/']);
    for (spelling, found) in spellings {
        scene.browser.write("#search", spelling).unwrap();
        scene.shows(MACS, found);
        assert_eq!(scene.browser.run("return document.querySelector('#nothing').hidden").unwrap(), !found.is_empty());
        scene.press(&[key::ESCAPE]);
        scene.shows(MACS, "01 02 1f");
    }
}

#[test]
fn the_keyboard_reaches_everything() {
    let scene = Scene::new(quiet_rack(&["01", "02", "03", "04", "05", "06", "07", "08", "09"]));
    scene.shows(MACS, "01 02 03 04 05 06 07 08 09");
    let columns = scene.browser.run("return shelves[2].columns").unwrap().as_u64().unwrap();
    assert!((2..9).contains(&columns), "{columns} columns");
    scene.press(&['/', key::ENTER]);
    scene.shows(FOCUS, "01");
    scene.press(&[key::RIGHT, key::RIGHT, key::LEFT]);
    scene.shows(FOCUS, "02");
    scene.press(&[key::DOWN]);
    scene.shows(FOCUS, format!("{:02}", 2 + columns));
    scene.press(&[key::END]);
    scene.shows(FOCUS, "09");
    scene.shows("document.querySelectorAll('.tile[tabindex=\"0\"]').length", 1);
    scene.press(&[key::HOME, key::ENTER]);
    scene.shows(FOCUS, "panel-mac");
    scene.says("#panel-mac", &mac("01"));
    scene.press(&[key::TAB]);
    scene.shows(FOCUS, "close");
    scene.press(&[key::ESCAPE]);
    scene.shows(FOCUS, "01");
    scene.shows("document.querySelector('#panel').hidden", true);
    scene.script.tell(1, "01", &stalled("no Request"));
    scene.shows("document.querySelector('.tile').dataset.trouble", "stalled");
    scene.shows(FOCUS, "01");
    scene.press(&[key::RIGHT]);
    scene.shows(FOCUS, "02");
}

#[test]
fn a_timeline_says_how_long_each_step_took() {
    let scene = Scene::new(rack(&[(
        "01",
        &[
            event("firmware_init", 0.0, json!({})),
            event("os_init", 20.0, json!({})),
            event("firmware_init", 100.0, json!({})),
            event("http_boot", 101.5, json!({})),
            event("stalled", 111.5, json!({ "reason": "no GET for 10 s" })),
            event("resumed", 145.5, json!({})),
            event("jump_to", 146.0, json!({})),
            event("http_fetch_uki", 146.0, transfer("init", 0)),
        ],
    )]));
    scene.shows(MACS, "01");
    scene.browser.click(".tile").unwrap();
    scene.script.tell(1, "01", &repeated(event("http_fetch_uki", 148.0, transfer("complete", 4_194_304))));
    scene.script.tell(2, "01", &event("os_init", 150.0, json!({})));
    let steps = |list: &str| {
        format!(
            "[...document.querySelectorAll('{list} li')].map(step => ['.what', '.lasted', '.more'].map(part => step.querySelector(part).innerText).join('|'))"
        )
    };
    let system = "System asks for an address";
    scene.shows(
        &format!("{}.slice(0, -1)", steps("#boot")),
        json!([
            "Firmware asks for an address|1.5 s|",
            "Firmware is given the boot URL|44 s|",
            "Stalled: no GET for 10 s|34 s|",
            "Goes on||",
            "Loads its image|4.0 s|Steps before this one were not seen. boot.efi over http, 4 MiB, 2 MiB/s",
        ]),
    );
    scene.shows(&format!("{}.at(-1).split('|')[0]", steps("#boot")), system);
    scene.says("#fact-took", "50 s");
    scene.says("#fact-address", &address("01"));
    scene.browser.click("summary").unwrap();
    let earlier = json!(["Firmware asks for an address|20 s|", format!("{system}|1 min 20 s|")]);
    scene.shows(&steps("#boots"), earlier);
    let bars =
        "[...document.querySelectorAll('#boot .bar')].map(bar => bar.style.getPropertyValue('--from')).join(' ')";
    scene.shows(bars, "0.00% 3.00% 23.00% 91.00% 92.00% 100.00%");

    let loads = |state, sent| event("fyi", 160.0, transfer(state, sent));
    scene.script.tell(3, "01", &loads("init", 0));
    scene.script.tell(4, "01", &repeated(loads("sending", 2_097_152)));
    let last = format!("{}.at(-1)", steps("#boot"));
    scene.shows(&last, "Its system loads||boot.efi over http, 2 MiB of 4 MiB, 50 %");
    scene.says("#legend [data-state=os_init] b", "1");
}

#[test]
fn what_comes_again_is_not_kept_again() {
    let scene = Scene::new(quiet_rack(&["01"]));
    scene.shows(MACS, "01");
    for id in 0..60 {
        scene.script.tell(id, "01", &repeated(event("firmware_init", 1.0, json!({}))));
        scene.script.tell(id, "01", &event("fyi", 2.0, json!({ "message": id.to_string() })));
    }
    scene.shows(&format!("machines.all.get('{}').events.at(-1).words", mac("01")), "59");
    scene.browser.click(".tile").unwrap();
    scene.shows("document.querySelectorAll('#boot li').length", 50);
    scene.shows("machines.all.get(selected).events.every(event => event.name === 'fyi')", true);
}

#[test]
fn the_page_comes_back_by_itself_and_misses_nothing() {
    let scene = Scene::new(quiet_rack(&["01", "02"]));
    scene.script.tell(7, "01", &event("http_boot", 1.0, json!({})));
    scene.says("[data-mac$='01'] .words", "HTTP Boot");
    scene.browser.run("window.links = []; new MutationObserver(() => links.push(document.body.dataset.link + ': ' + document.querySelector('#notice').innerText)).observe(document.body, { attributeFilter: ['data-link'] })").unwrap();
    scene.script.close(Some(json!({})));
    scene.shows("links.length", 2);
    let links = scene.browser.run("return links.join('; ')").unwrap();
    let links = links.as_str().unwrap();
    assert!(links.starts_with("lost: Connection lost at ") && links.contains("live: "), "{links}");
    let asked = scene.script.told.lock().unwrap().asked.last().cloned().unwrap();
    assert!(asked.contains("\nlast-event-id: 7"), "{asked}");
    scene.shows(MACS, "01 02");
    scene.script.tell(8, "02", &event("http_boot", 2.0, json!({})));
    scene.says("[data-mac$='02'] .words", "HTTP Boot");
    scene.script.say(9, &quiet_rack(&["02", "03"]));
    scene.shows(MACS, "02 03");
    scene.says("[data-mac$='02'] .words", "Firmware");
}

#[test]
fn what_is_not_understood_is_made_up_for_by_a_snapshot() {
    let scene = Scene::new(quiet_rack(&["01"]));
    scene.script.tell(5, "02", &event("init", 1.0, json!({})));
    scene.shows(MACS, "01 02");
    scene.script.told.lock().unwrap().snapshot = Some(quiet_rack(&["04"]));
    for stream in &mut scene.script.told.lock().unwrap().streams {
        stream.write_all(b"id: 6\ndata: {\"mac\":\n\n").unwrap();
    }
    scene.shows(MACS, "04");
    scene.shows(LINK, "live");
}

#[test]
fn nobodys_words_become_markup() {
    let scene = Scene::new(quiet_rack(&["01", "02"]));
    scene.shows(MACS, "01 02");
    let markup = "<img src=x onerror='owned=1'><script>owned=2</script>";
    let long = format!("{markup}{}", "A".repeat(100_000));
    let before = scene.browser.run("return document.querySelectorAll('img, script').length").unwrap();
    let detail = json!({ "protocol": markup, "file_name": long, "state": "sending", "error": markup, "sent_bytes": -1e300, "total_bytes": "9" });
    let hostile = [
        event("http_fetch_uki", 1.0, detail),
        event("fyi", 2.0, json!({ "message": long })),
        event(markup, 3.0, json!(markup)),
        event("__proto__", 3.0, json!(["reason"])),
        stalled(&long),
    ];
    for (event, id) in hostile.iter().zip(1..) {
        scene.script.tell(id, "01", event);
    }
    let strange = [
        json!([]),
        json!({ "mac": "__proto__", "event": event("init", 1.0, json!({})) }),
        json!({ "mac": format!("{}{markup}", mac("09")), "event": event("init", 1.0, json!({})) }),
        json!({ "mac": mac("08"), "event": 5 }),
        json!({ "mac": mac("02"), "ipv6_address": markup, "event": { "event": "http_boot", "timestamp": markup, "detail": null } }),
    ];
    strange.iter().zip(10..).skip(1).for_each(|(message, id)| scene.script.say(id, message));
    scene.says("[data-mac$='02'] .address", markup);
    scene.shows("document.querySelector('#shelf-stalled .tile')?.dataset.mac", mac("01"));
    scene.shows(MACS, "01 02");
    scene.browser.click(".tile").unwrap();
    scene.shows("document.querySelectorAll('#boot li').length", 6);
    scene.says("#boot li:nth-child(4) .what", markup);
    scene.shows("window.owned ?? 0", 0);
    scene.shows("document.querySelectorAll('img, script').length", before);
    scene.shows("document.documentElement.scrollWidth <= innerWidth", true);
    scene.shows(LINK, "live");
    scene.script.say(20, &strange[0]);
    scene.shows(MACS, "");
    assert_eq!(scene.browser.complaints().unwrap(), Vec::<String>::new());
}

#[test]
fn five_thousand_machines_are_as_few_tiles_as_fit() {
    let name = |number: u64| format!("52:54:00:00:{:02x}:{:02x}", number / 256, number % 256);
    let begun = [event("firmware_init", 0.0, json!({}))];
    let all: Map<String, Value> =
        (0..5000).map(|number| (name(number), json!({ "IPv6Address": "2001:db8::1", "Events": begun }))).collect();
    let scene = Scene::new(Value::Object(all));
    scene.says("#total", "5000");
    scene.shows("[...document.querySelectorAll('.tile')].length < 400", true);
    for number in 0..5000 {
        scene.script.say(number, &json!({ "mac": name(number), "event": event("os_init", 9.0, json!({})) }));
    }
    scene.says("#up", "5000");
    scene.press(&['/', key::ENTER, key::END]);
    scene.shows("document.activeElement.dataset.mac", name(4999));
    scene.shows("document.activeElement.parentElement.ariaPosInSet", "5000");
    scene.shows("document.activeElement.getBoundingClientRect().bottom <= innerHeight", true);
    scene.press(&[key::HOME]);
    scene.shows("document.activeElement.dataset.mac", name(0));
    scene.says("#shelf-rest h2", "Machines 5000, all 52:54:00:…");
    scene.says(".mac", "00:00:00");
    scene.script.say(5000, &json!({ "mac": "aa:bb:cc:00:00:01", "event": event("init", 9.0, json!({})) }));
    scene.says("#shelf-rest h2", "Machines 5001");
    scene.says(".mac", &name(0));
}

#[test]
fn who_has_no_token_is_asked_for_it() {
    let host = Host::new("operator").unwrap();
    let script = Script::start(&host, quiet_rack(&["01"]));
    script.told.lock().unwrap().token = Some("sesame");
    let scene = Scene { script, browser: Browser::start(&host).unwrap() };
    scene.browser.open(&format!("http://{}/", scene.script.address)).unwrap();
    scene.shows(LINK, "locked");
    scene.shows("document.activeElement.id", "token");
    scene.browser.write("#token", "simsim\u{e007}").unwrap();
    scene.says("#token-words", "That is not its token.");
    scene.browser.run("document.querySelector('#token').value = ''").unwrap();
    scene.browser.write("#token", "sesame").unwrap();
    let twice = "let asked = 0; const ask = fetch; window.fetch = (...what) => { asked += 1; return ask(...what); }; \
                 const form = document.querySelector('#token-form'); form.requestSubmit(); form.requestSubmit(); return asked";
    assert_eq!(scene.browser.run(twice).unwrap(), 1, "one subscription");
    scene.shows(MACS, "01");
    scene.shows("document.querySelector('#token-form').hidden", true);
}

#[test]
fn an_empty_rack_says_what_to_do_by_day_and_by_night() {
    let scene = Scene::new(json!({}));
    scene.says("#empty h2", "No machine has been heard yet");
    let shots = ["light", "dark"].map(|scheme| {
        scene.browser.prefer(scheme).unwrap();
        scene.browser.screenshot().unwrap()
    });
    assert_ne!(shots[0], shots[1]);
    for shot in shots {
        assert!(shot.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert_eq!(shot[16..20], WINDOW.0.to_be_bytes());
    }
    scene.script.tell(1, "01", &event("init", 1.0, json!({})));
    scene.shows("document.querySelector('#empty').hidden", true);
}

#[test]
fn a_machine_that_boots_is_shown_and_a_daemon_that_starts_anew_knows_none() {
    let rack = Rack::new(1).unwrap();
    rack.router.own("2001:db8:0:1::".parse().unwrap()).unwrap();
    let arguments = ["--interface", ROUTER_INTERFACE, "--base-address", "2001:db8:0:1::"];
    let daemon = Daemon::start(&rack.router, &arguments).unwrap();
    let browser = Browser::start(&rack.router).unwrap();
    browser.open("http://[::1]:6315/").unwrap();
    browser.wait_for(LIMIT, "document.querySelector('#empty').hidden", &false.into()).unwrap();
    let listen = "window.heard = []; new EventSource('events').onmessage = told => heard.push(JSON.parse(told.data))";
    browser.run(listen).unwrap();
    browser.wait_for(LIMIT, "heard", &json!([{}])).unwrap();
    let machine = &rack.machines[0];
    let interface = machine.index_of(MACHINE_INTERFACE).unwrap();
    let mut port = machine.run(|| Port::open(interface, 1500)).unwrap().unwrap();
    port.send(&message(SOLICIT).ia_na(1, &[]).frame()).unwrap();
    let tile = format!("document.querySelector('[data-mac=\"{MACHINE}\"]')?.dataset.state");
    browser.wait_for(LIMIT, &tile, &"os_init".into()).unwrap();
    browser.wait_for(LIMIT, "heard.slice(1).map(told => told.event.event)", &json!(["init", "os_init"])).unwrap();
    browser.click(".tile").unwrap();
    let steps = "[...document.querySelectorAll('#boot li')].map(step => step.dataset.state).join(' ')";
    browser.wait_for(LIMIT, steps, &"init os_init".into()).unwrap();
    daemon.stop().unwrap();
    browser.wait_for(LIMIT, LINK, &"lost".into()).unwrap();
    let daemon = Daemon::start(&rack.router, &arguments).unwrap();
    browser.wait_for(LIMIT, LINK, &"live".into()).unwrap();
    browser.wait_for(LIMIT, "document.querySelector('#empty').hidden", &false.into()).unwrap();
    browser.wait_for(LIMIT, "document.querySelector('#panel').hidden", &true.into()).unwrap();
    assert_eq!(browser.complaints().unwrap().iter().filter(|line| !line.contains("net::ERR_")).count(), 0);
    daemon.stop().unwrap();
}
