# The gateway as one static binary on an empty base: no shell, no package, no root.
#
#   docker build -t telemetry-gateway .
#   docker run -p 4317:4317 -p 4318:4318 -e HONEYCOMB_API_KEY -v telemetry:/var/lib/telemetry-gateway telemetry-gateway
#
# Both bases can be replaced: BUILD_IMAGE by any with cargo, a C compiler and CA certificates (tests/e2e/container.sh
# makes one where nothing can be pulled), RUNTIME_IMAGE by distroless's static image and its like.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=scratch

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
# glibc is linked statically: since 2.34 its resolver for files and DNS is part of libc.a, and its allocator does better
# with threads than musl's. The explicit target keeps the flag away from build scripts and procedural macros.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --profile dist --bin telemetry-gateway --target "$target" \
 && install -D -m 755 "target/$target/dist/telemetry-gateway" /image/usr/local/bin/telemetry-gateway \
 && install -D -m 644 gateway.yaml /image/etc/telemetry-gateway/gateway.yaml \
 && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && install -d -m 1777 /image/tmp \
 && install -d -o 65532 -g 65532 -m 750 /image/var/lib/telemetry-gateway

FROM ${RUNTIME_IMAGE}
COPY --from=build /image /
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
# A relative journal directory, as in the shipped gateway.yaml, lies in the volume.
WORKDIR /var/lib/telemetry-gateway
VOLUME /var/lib/telemetry-gateway
# OTLP over gRPC and HTTP on both.
EXPOSE 4317 4318
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/telemetry-gateway", "health", "--config", "/etc/telemetry-gateway/gateway.yaml"]
ENTRYPOINT ["/usr/local/bin/telemetry-gateway"]
CMD ["run", "--config", "/etc/telemetry-gateway/gateway.yaml"]
