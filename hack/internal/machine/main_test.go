package machine

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// TestMain makes this program what Start runs: the launcher and the first process of a machine.
func TestMain(m *testing.M) {
	if len(os.Args) != 4 || os.Args[1] != "machine" {
		os.Exit(m.Run())
	}
	if err := runPart(os.Args[1:3], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runPart(command []string, dir string) error {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return err
	}
	if slices.Equal(command, InitCommand()) {
		return Init(dir, state.Dir)
	}
	h, err := New(DefaultDir, state.Sysctls())
	if err != nil {
		return err
	}
	pid, err := h.Launch(dir)
	fmt.Println(pid)
	return err
}
