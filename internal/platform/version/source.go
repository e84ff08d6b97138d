package version

import "runtime/debug"

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
