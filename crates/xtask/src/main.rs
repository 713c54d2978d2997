//! `cargo xtask`: the commands that people and CI run in this repository.
//! Knows cargo, PostgreSQL as a program and the outside contract of our binaries; never links one of our crates,
//! so that it compiles within seconds and can test a workspace that does not build.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on its terminal")]

mod args;
mod bench;
mod check;
mod demo;
mod fault;
mod guard;
mod http;
mod install;
mod lab;
mod model;
mod postgres;
mod prove;
mod quality;
mod run;
mod secret;
mod stop;
mod supply;
mod tidy;
mod workspace;

use std::process::ExitCode;

use args::Arguments;
use fault::Fault;

const USAGE: &str = "\
cargo xtask <command>

  demo   build everything, start a private PostgreSQL and a simulated Gong, connect them and stay up
           --exit                  end after the summary; exit 0 only if every expected call arrived
           --calls N               calls in the simulated Gong (400)
           --conversations FILE    real conversations as call bodies, one JSON object a line
           --no-limit              neither side limits requests
           --model-sim             calls are read by a language model: a simulated one, through the real wire
           --release               optimized build
           --port P                port of the web pages (8080, or a free one when it is taken)
           --fresh                 forget the data of an earlier demo of this checkout
  test   everything that CI runs
           --only STEP ...         of fmt clippy tidy deny alerts unit stories browser docs
           --no-browser            leave out the browser tests
  bench  measures the promised figures with release programs and writes docs/BENCHMARKS.md
           --only NAME ...         of requests pace-3 pace-default ingest fleet start pages
           --quick                 small counts; writes nothing
           --repeat N              how often the ingest is measured (3)
           --built                 do not build, take the release programs that are there
  prove  breaks things on purpose, checks what must stay true, and writes docs/PROOFS.md
           --quick                 a tenth, in at most six minutes; with the programs that tests build
           --full                  everything, in at most ninety minutes; with release programs
           --only ID ...           of the experiments; an unknown one lists them
           --seed N                the schedule of faults of an earlier run
           --built                 do not build, take the programs that are there
           --programs FOLDER       take the programs of this folder
           --earlier FOLDER        a program from before the newest migration (target/earlier), for OPS-11
  model  fetches the embedding model that runs in our processes (91 MB) and checks it; target/model/all-MiniLM-L6-v2
  train  makes the weights of the basic analyzer out of the labelled calls that are for training
  eval   measures how good feedback is found, compared and joined, and writes docs/QUALITY.md
           --data FOLDER           other people's data sets; what is not there is said to be absent
           --only NAME ...         of own none reviews pairs clusters speed tokens; writes nothing
  tidy   the rules of the house that no compiler checks
  sbom   writes what our programs are made of, with versions, licences and hashes (CycloneDX 1.5)
           --output FILE           (target/soundpost.cdx.json)
  postgres
         a private PostgreSQL for a shell: prints its URL and stays up until Ctrl-C
";

fn main() -> ExitCode {
    if let Err(fault) = stop::listen() {
        eprintln!("xtask: {fault}");
        return ExitCode::FAILURE;
    }
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let outcome = dispatch(&command, Arguments::new(words.collect()));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the docs may name this command.
fn has_command(name: &str) -> bool {
    name == "help"
        || USAGE
            .lines()
            .any(|line| line.strip_prefix("  ").is_some_and(|line| line.split(' ').next() == Some(name)))
}

/// Runs one command; `false` means that it did its work and the answer is no.
fn dispatch(command: &str, arguments: Arguments) -> Result<bool, Fault> {
    match command {
        "demo" => demo::command(arguments),
        "test" => check::command(arguments),
        "bench" => bench::command(arguments),
        "prove" => prove::command(arguments),
        "model" => model::command(arguments),
        "train" => quality::train(arguments),
        "eval" => quality::eval(arguments),
        "tidy" => tidy::command(arguments),
        "sbom" => supply::command(arguments),
        "postgres" => postgres::command(arguments),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => Err(Fault::new(format!("there is no command {other:?}\n\n{USAGE}"))),
    }
}
