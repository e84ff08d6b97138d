package version

import "runtime/debug"

// Source is the commit that the program was built from and the time of that commit: as the linker was told, else as the Go tool
// recorded them; empty when neither knows.
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
