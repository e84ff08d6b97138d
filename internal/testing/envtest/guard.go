package envtest

import (
	"os"
	"os/exec"
	"testing"
)

// guard kills the programs of a server, which have its folder in their arguments, when this process has ended in any way. They are in process groups of
// their own, so a killed test would leave them running. The guard reads what nobody writes until this process ends.
func guard(t *testing.T, folder string) {
	t.Helper()
	process := exec.Command("sh", "-c", `trap "" INT TERM HUP; read -r _; exec pkill -KILL -f -- "$FOLDER"`)
	process.Env = append(os.Environ(), "FOLDER="+folder)
	input, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatalf("the guard of the API server cannot be started: %v", err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = process.Wait() // nothing was left to kill
	})
}
