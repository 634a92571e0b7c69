# syntax=docker/dockerfile:1.18

# One file builds every service: docker build --build-arg SERVICE=ingest .

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build

# GOTOOLCHAIN: this image's compiler and no other.
# GOWORK stays on: the image links the versions that the workspace's tests ran with.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local

WORKDIR /src
COPY . .

ARG SERVICE
# Another of the module's programs: --build-arg SERVICE=dlq --build-arg PROGRAM=hookstream.
ARG PROGRAM=${SERVICE}
# What --version says; make up sets it. The context has no .git to ask.
ARG VERSION
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    : "${SERVICE:?set it with --build-arg SERVICE=ingest, transform, sink or dlq}" && \
    GOOS="$TARGETOS" GOARCH="$TARGETARCH" \
    go build -trimpath -ldflags="-s -w -X github.com/hookstream/hookstream/stage/service.version=${VERSION}" \
    -o /out/service "./${SERVICE}/cmd/${PROGRAM}"

# Pinned by digest, for distroless tags carry no version. It has CA certificates and no shell,
# so the binary is its own health probe: `service healthcheck`.
FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab

COPY --from=build /out/service /app/service

# By number, so that Kubernetes' runAsNonRoot can check it. 65532 is distroless' nonroot.
USER 65532:65532

ENTRYPOINT ["/app/service"]
