package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// reservationVariable is the environment variable with the reservation of the local cluster that this process inherits or has.
const reservationVariable = "OSM_LOCAL_RESERVATION"

// reserve reserves the local cluster until this process ends, unless the run that started it has the cluster. It waits while another run has
// it, and prints which one to out. A command of hack/ holds the reservation, and ends with its input.
func (r Repository) reserve(ctx context.Context, out io.Writer) error {
	if os.Getenv(reservationVariable) != "" || IsCurrent() {
		return nil
	}
	// The command outlives ctx: tests use the cluster after their setup.
	cmd := r.command(context.WithoutCancel(ctx), []string{"./cluster", "reserve", filepath.Base(os.Args[0])})
	cmd.Stderr = out
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("reserve the local cluster: %w", err)
	}
	abandon := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) })
	line, err := bufio.NewReader(answer).ReadString('\n')
	abandon()
	// The goroutine also keeps the command's input open.
	go func() { _ = cmd.Wait() }()
	if id := strings.TrimSpace(line); id != "" {
		return os.Setenv(reservationVariable, id)
	}
	return errors.Join(errors.New("the local cluster could not be reserved"), err, ctx.Err())
}
