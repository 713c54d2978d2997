# syntax=docker/dockerfile:1
# Two images from one build: `--target soundpost` (the last stage, so the default) and `--target gong-sim`.
# Both run as an unprivileged user and write nothing outside of the escrow folder, so that they can run with --read-only.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --workspace --bin soundpost --bin gong-sim \
    && install -D -t /out target/release/soundpost target/release/gong-sim

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin soundpost \
    && install -d -o soundpost -g soundpost -m 0700 /var/lib/soundpost/escrow
USER 10001:10001

FROM base AS gong-sim
COPY --from=build /out/gong-sim /usr/local/bin/gong-sim
EXPOSE 9000
ENTRYPOINT ["gong-sim"]

FROM base AS soundpost
COPY --from=build /out/soundpost /usr/local/bin/soundpost
ENV SOUNDPOST_LISTEN=0.0.0.0:8080 \
    SOUNDPOST_METRICS_LISTEN=0.0.0.0:9464 \
    SOUNDPOST_ESCROW_DIR=/var/lib/soundpost/escrow
VOLUME /var/lib/soundpost/escrow
EXPOSE 8080 9464
# Serving drains for up to 30 s when it is asked to stop; give it 40 (`docker stop -t 40`).
STOPSIGNAL SIGTERM
ENTRYPOINT ["soundpost"]
CMD ["serve"]
