package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker for a release (Makefile).
var version = "development"

// revision is the commit that the program was built from, "" when unknown.
func revision() string {
	if r := buildSetting("vcs.revision"); len(r) >= 12 {
		return r[:12]
	}
	return ""
}

// buildDate is the day of that commit, "" when unknown.
func buildDate() string {
	day, _, _ := strings.Cut(buildSetting("vcs.time"), "T")
	return day
}

func buildSetting(key string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// versionLine is what "version" and --version print.
func versionLine() string {
	text := "intouchd " + version
	if r := revision(); r != "" {
		text += " " + r
	}
	return fmt.Sprintf("%s %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  takes(cobra.NoArgs),
		Run:   func(*cobra.Command, []string) { fmt.Fprintln(p.out, versionLine()) },
	}
}
