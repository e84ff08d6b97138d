package version

import "runtime/debug"

// Version is the release that the program was built from, such as "v0.1.0". Release builds set it with
// -ldflags "-X github.com/openservicemesh/osm-operator/internal/platform/version.Version=v0.1.0". The default is "dev".
var Version = "dev"

// Commit is the commit that the program was built from, with the suffix "-dirty" if the working tree had changes. Release
// builds set it like Version.
var Commit = ""

// Date is the time of the commit, which keeps builds reproducible.
var Date = ""

// Source returns the commit that the program was built from and its time: the values set by the linker, else those
// recorded by the Go tool, else empty strings.
func Source() (commit, date string) {
	if Commit != "" {
		return Commit, Date
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			commit = setting.Value
		case "vcs.time":
			date = setting.Value
		}
	}
	return commit, date
}
