# Everything a developer or the CI runs. With GNU make.

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.0
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
CYCLONEDX   := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
TESTFLAGS   ?=
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# As Debian orders versions: 1.2.3, then 1.2.3+5.gabcdef0; before any release 0~.
DEB_VERSION := $(shell git describe --tags --match 'v[0-9]*' --abbrev=7 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./' | grep . || git log -1 --date=format:%Y%m%d.%H%M --format='0~%cd.g%h')

# Under the race detector SQLite is some ten times slower: these are the
# packages whose goroutines meet, without the tests that run for minutes.
RACED := ./cmd/... ./mailsync ./mailer ./scheduler ./web ./caldav

# Tests against real peers, by their names.
PEERS := Dovecot|Cyrus|Mailgen|Exim|Postfix|Vdirsyncer|Khal|PythonCaldav|Evolution|Litmus|Radicale|Thunderbird|Interop

# How long make soak and make soak-network go on, and with which faults.
SOAK ?= 1h
NETWORK ?= 10m
SEED ?= 20261126

.PHONY: all build test race check bench bench-calendar bench-fleet bench-mail bench-pages bench-paint bench-reports bench-packages soak soak-network interop packages sbom deb deb-test image-test screenshots

all: check test

# One binary without C, at most 40 MB.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o intouchd ./cmd/intouchd
	@size=$$(stat -c %s intouchd); echo "intouchd: $$size bytes"; test $$size -le 40000000

# All tests, with real servers where they are installed. What is missing is
# said; INTOUCH_REQUIRE=all makes it a failure.
test: packages
	$(GO) test -timeout 25m $(TESTFLAGS) ./...

race:
	$(GO) test -race -short -timeout 25m $(RACED)

check:
	@out=$$(gofmt -l . ); if [ -n "$$out" ]; then echo "gofmt: not formatted:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags evolution ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff

# All benchmarks. BenchmarkPeers prints a table of the daemon beside mbsync, the
# proto of ../shared/bench/imapbench and a bare socket; bench-mail runs it alone
# (INTOUCH_BENCH_LETTERS=20000 INTOUCH_BENCH_RUNS=3 INTOUCH_BENCH_ONLY=pass,latency,idle,many,silence).
# BenchmarkCalendarPeers prints one of the calendars beside the limit server of
# ../shared/bench/caldavbench, a bare SQLite and Radicale; bench-calendar runs it alone.
# BenchmarkReports prints the reports of a million contacts beside their targets
# and the sqlite3 shell; bench-reports runs it alone (INTOUCH_BENCH_HOUSE=FILE
# keeps the data, INTOUCH_BENCH_YEARS=1 makes a third of it). BenchmarkPages has
# 20 users at once ask for each page of the house in that file; bench-pages runs it alone.
bench: bench-packages
	$(GO) test -run '^$$' -bench . -benchmem -timeout 60m ./...

bench-calendar: bench-packages
	$(GO) test -run '^$$' -bench CalendarPeers -timeout 60m ./cmd/intouchd

# Two daemons on one PostgreSQL with 100, 1,000 and 10,000 mailboxes (docs/scaling.md);
# INTOUCH_FLEET=1000 INTOUCH_FLEET_SECONDS=20 INTOUCH_FLEET_FOLDERS=1 INTOUCH_FLEET_PROFILES=DIR.
bench-fleet: bench-packages
	$(GO) test -run '^$$' -bench Fleet -benchtime 1x -timeout 90m ./cmd/intouchd

bench-pages:
	$(GO) test -run '^$$' -bench Pages -timeout 60m ./web

bench-reports:
	$(GO) test -run '^$$' -bench Reports -timeout 60m ./report

bench-mail: bench-packages
	$(GO) test -run '^$$' -bench Peers -timeout 60m ./mailsync

# Debian's isync (mbsync), which nothing but the benchmarks need.
bench-packages:
	@.ci/packages isync

# When Chromium first paints each page of the demo, with how many bytes.
bench-paint: packages
	$(GO) test -run '^$$' -bench Paint -benchtime 1x ./cmd/intouchd

# Pictures of every page of the demo: both languages, light and dark, wide and
# on a phone, and as printed (PDF).
SCREENSHOTS ?= /tmp/intouch-screenshots
screenshots: packages
	INTOUCH_SCREENSHOTS=$(SCREENSHOTS) $(GO) test -run '^$$' -bench Screenshots -benchtime 1x ./cmd/intouchd

# Runs the daemons with real servers around them under load, and lets at random
# and at once everything go wrong that can (docs/soak.md). The CI bears it for
# seconds. Only root can.
soak: packages
	INTOUCH_SOAK=$(SOAK) INTOUCH_SEED=$(SEED) $(GO) test -count=1 -v -timeout 24h -run '^TestSoak$$' ./cmd/intouchd

# Follows mailboxes through a network that cuts, delays, truncates, corrupts
# and stalls, while Dovecot is restarted and folders change under it. The CI
# bears it for seconds.
soak-network: packages
	INTOUCH_SOAK=$(NETWORK) INTOUCH_SEED=$(SEED) $(GO) test -count=1 -v -timeout 4h -run BadNetwork ./mailsync

# Only the tests against real peers, anew.
interop:
	@.ci/packages evolution-data-server gir1.2-ecal-2.0 gir1.2-edataserver-1.2 python3-gi dbus
	$(GO) test -tags evolution -count=1 -v -run '$(PEERS)' ./...

# The peers, from Debian. Only root can install them.
packages:
	@.ci/packages

# What the binary is made of, in dist/: a bill of materials (CycloneDX), read from
# the binary itself, and the licences of all its modules.
sbom: build
	mkdir -p dist
	CGO_ENABLED=0 $(GO) run $(CYCLONEDX) bin -json -licenses -std -noserial -version '$(DEB_VERSION)' -output dist/intouchd.cdx.json intouchd
	GO='$(GO)' CGO_ENABLED=0 .ci/licences | gzip -9n >dist/licences.gz

# The Debian package, in dist/. Needs no Debian tool.
deb: sbom
	rm -rf dist/man dist/completions dist/*.deb && mkdir -p dist/man dist/completions && cp intouchd dist/intouchd
	for page in intouchd.1 intouchd.toml.5; do ./intouchd man $${page%.*} | gzip -9n >dist/man/$$page.gz; done
	for shell in bash zsh fish; do ./intouchd completion $$shell >dist/completions/$$shell; done
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) VERSION='$(DEB_VERSION)' ARCH=$$($(GO) env GOARCH) \
		$(GO) run $(NFPM) package --config deploy/debian/nfpm.yaml --packager deb --target dist/

# Installs, starts, upgrades and purges it in a clean Debian. Only root can.
deb-test: deb
	.ci/deb dist/*.deb

# Runs what the Dockerfile puts into the image, without Docker. Only root can.
image-test: build
	.ci/image
