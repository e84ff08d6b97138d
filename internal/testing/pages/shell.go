package pages

import (
	"context"
	"os/exec"
)

// Shell runs scripts one after the other, as if they were pasted into one terminal: the working directory and exported variables persist.
type Shell struct {
	// Dir is the working directory of the first script.
	Dir string
	// Env is the environment of the first script.
	Env []string
	// State is the path of the file that holds directory and variables between scripts. It must not be below Dir.
	State string
}

// wrapper runs the script $1 with the state in the file $0.
const wrapper = `if [ -f "$0" ]; then . "$0"; cd "$PWD"; fi
trap 'status=$?; export -p > "$0"; exit $status' EXIT
set -e
eval "$1"`

// Run runs a script up to its first failing command. It returns the output, standard error included.
func (s Shell) Run(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", wrapper, s.State, script)
	cmd.Dir, cmd.Env = s.Dir, append([]string{}, s.Env...)
	printed, err := cmd.CombinedOutput()
	return string(printed), err
}
