package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/openservicemesh/osm-operator/hack/internal/tool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir := flag.String("C", "", "working folder of the tool (default the root of the checkout)")
	path := flag.Bool("path", false, "print the path of the tool instead of running it")
	flag.Parse()
	err := run(ctx, *dir, *path, flag.Args())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

// run builds the tool if needed and runs it in the folder, with the standard streams of this process, or prints its path.
func run(ctx context.Context, dir string, path bool, args []string) error {
	if len(args) == 0 {
		return errors.New("name a tool: go run ./tool [-C FOLDER] NAME [ARGUMENT...]")
	}
	box, err := tool.Open(os.Stderr)
	if err != nil {
		return err
	}
	program, err := box.Path(ctx, args[0])
	if err != nil {
		return err
	}
	if path {
		fmt.Println(program)
		return nil
	}
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Dir = cmp.Or(dir, box.Root)
	return cmd.Run()
}
