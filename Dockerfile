# The daemon and nothing else, as an unprivileged user.
# docker build -t intouchd --build-arg VERSION=$(git describe --tags --always) .
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
RUN make build VERSION="$VERSION" && deploy/docker/rootfs /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENV INTOUCH_CONFIG=/etc/intouch/config.toml
VOLUME ["/etc/intouch", "/var/lib/intouch"]
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=15s --start-period=30m --start-interval=2s CMD ["/intouchd", "ready"]
ENTRYPOINT ["/intouchd"]
CMD ["serve"]
