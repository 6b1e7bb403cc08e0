//! What bgpkit-parser makes of messages on standard input, one line each on standard output.  The first message
//! that the library refuses ends the program with status 1 and the reason.
//!
//! RIS Live messages, one a line, become elements, one a line:
//! timestamp|A or W|peer|AS number of the peer|prefix|next hop|path|communities, separated by spaces.
//! With --raw not the fields of a message are read but the octets of BGP in it.
//!
//! With --openbmp messages of OpenBMP are read, each behind its length in four octets, and become
//! version|length of the header|length of the message|octets behind the header|object type|timestamp|collector|
//! router|group|kind of the BMP message|peer.

use std::fmt::Display;
use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;

use bgpkit_parser::models::{BgpElem, ElemType};
use bgpkit_parser::parser::bmp::parse_openbmp_header;
use bgpkit_parser::{parse_openbmp_msg, parse_ris_live_message, parse_ris_live_message_raw};

fn text<T: Display>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

fn write_element(out: &mut impl Write, elem: &BgpElem) -> io::Result<()> {
    let kind = if elem.elem_type == ElemType::ANNOUNCE { "A" } else { "W" };
    let communities: Vec<String> =
        elem.communities.iter().flatten().map(|community| community.to_string()).collect();
    writeln!(
        out,
        "{}|{}|{}|{}|{}|{}|{}|{}",
        elem.timestamp,
        kind,
        elem.peer_ip,
        elem.peer_asn.to_u32(),
        elem.prefix.prefix,
        text(&elem.next_hop),
        text(&elem.as_path),
        communities.join(" "),
    )
}

fn read_ris_live(out: &mut impl Write, raw: bool) -> Result<(), String> {
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|broken| format!("line {}: {}", number + 1, broken))?;
        let elements = if raw {
            parse_ris_live_message_raw(&line).map_err(|refused| refused.to_string())
        } else {
            parse_ris_live_message(&line).map_err(|refused| refused.to_string())
        };
        for elem in elements.map_err(|refused| format!("line {}: {}", number + 1, refused))? {
            write_element(out, &elem).map_err(|broken| broken.to_string())?;
        }
    }
    Ok(())
}

/// The next message, or nothing at the end.
fn next_message(source: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if source.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    source.read_exact(&mut length[1..])?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    source.read_exact(&mut message)?;
    Ok(Some(message))
}

fn openbmp_line(message: Vec<u8>) -> Result<String, String> {
    let mut behind = message.clone().into();
    let header = parse_openbmp_header(&mut behind).map_err(|refused| refused.to_string())?;
    let read = parse_openbmp_msg(message.into()).map_err(|refused| refused.to_string())?;
    Ok(format!(
        "{}.{}|{}|{}|{}|{}|{:.6}|{}|{}|{}|{:?}|{}",
        header.major_version,
        header.minor_version,
        header.header_len,
        header.msg_len,
        behind.len(),
        header.object_type,
        header.timestamp,
        header.admin_id,
        header.router_ip,
        text(&header.router_group),
        read.common_header.msg_type,
        text(&read.per_peer_header.map(|peer| peer.peer_ip)),
    ))
}

fn read_openbmp(out: &mut impl Write) -> Result<(), String> {
    let mut source = io::stdin().lock();
    let mut number = 0;
    while let Some(message) = next_message(&mut source).map_err(|broken| broken.to_string())? {
        number += 1;
        let line = openbmp_line(message).map_err(|refused| format!("message {}: {}", number, refused))?;
        writeln!(out, "{line}").map_err(|broken| broken.to_string())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let asked = |option: &str| std::env::args().any(|word| word == option);
    let mut out = io::stdout().lock();
    let done =
        if asked("--openbmp") { read_openbmp(&mut out) } else { read_ris_live(&mut out, asked("--raw")) };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
