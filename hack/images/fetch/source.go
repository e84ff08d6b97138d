package fetch

import (
	"context"
	"fmt"
	"strings"
)

// source identifies the sources of the compiled programs.
type source struct {
	// commit is the last commit, with "-dirty" if files differ from it, and date its time. The build time would make
	// two builds of the same files differ. Both are empty outside a git checkout.
	commit, date string
}

// sourceOf reads the source of a checkout from git.
func sourceOf(ctx context.Context, root string) source {
	head, err := run(ctx, root, nil, "git", "show", "--no-patch", "--format=%H %cI", "HEAD")
	if err != nil {
		return source{}
	}
	commit, date, _ := strings.Cut(strings.TrimSpace(string(head)), " ")
	changes, err := run(ctx, root, nil, "git", "status", "--porcelain", "--untracked-files=no")
	if err != nil || len(changes) > 0 {
		commit += "-dirty"
	}
	return source{commit, date}
}

// linkerVariables returns the linker flags that set the version and source of programs.
func linkerVariables(version string, from source) string {
	flags := fmt.Sprintf("-X %s.Version=%s", versionPackage, version)
	if from.commit != "" {
		flags += fmt.Sprintf(" -X %s.Commit=%s -X %s.Date=%s", versionPackage, from.commit, versionPackage, from.date)
	}
	return flags
}
