//! Starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;

use ctc_ready::clock::ManualClock;
use ctc_ready::simulator::{SimulatorError, SimulatorOptions, serve_until, start};

use super::bench::*;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(morning()))
}

#[tokio::test]
async fn it_does_not_start_where_or_how_it_must_not() {
    let abroad = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = start(SimulatorOptions::default(), clock(), abroad).await.unwrap_err();
    assert!(matches!(error, SimulatorError::NotLoopback(_)));
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = SimulatorOptions { time_scale: scale, ..SimulatorOptions::default() };
        let error = start(options, clock(), loopback()).await.unwrap_err();
        assert!(error.to_string().contains("time_scale"), "{error}");
    }
    let first = start(SimulatorOptions::default(), clock(), loopback()).await.unwrap();
    let second = start(SimulatorOptions::default(), clock(), first.addr).await;
    assert!(matches!(second, Err(SimulatorError::Bind { .. })));
}

#[tokio::test]
async fn it_stops_when_told_though_a_connection_is_open() {
    let bench = Bench::new().await;
    let addr = bench.running.addr;
    // The client keeps its connection.
    bench.get(DEPARTURES).await;
    bench.running.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn it_serves_until_told_otherwise() {
    let (told, hears) = tokio::sync::oneshot::channel();
    let ready = |addr| told.send(addr).unwrap();
    let until = async move {
        let addr: SocketAddr = hears.await.unwrap();
        assert!(tokio::net::TcpStream::connect(addr).await.is_ok());
    };
    serve_until(SimulatorOptions::default(), clock(), loopback(), ready, until).await.unwrap();
}
