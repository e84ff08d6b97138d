package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

func sessionCommand() *cobra.Command {
	var duration, every time.Duration
	var greeted bool
	cmd := &cobra.Command{
		Use:   "session ADDRESS",
		Short: "hold one TCP connection to an echo server and exchange lines over it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printReport(cmd, session(cmd.Context(), args[0], duration, every, greeted))
		},
	}
	cmd.Flags().DurationVar(&duration, "duration", 0, "how long to hold the connection; 0 means for one exchange")
	cmd.Flags().DurationVar(&every, "every", 200*time.Millisecond, "time between exchanges")
	cmd.Flags().BoolVar(&greeted, "greeted", false, "the server speaks first: read its line before sending")
	return cmd
}

func session(ctx context.Context, address string, duration, every time.Duration, greeted bool) report.Session {
	var result report.Session
	fail := func(err error) report.Session {
		result.Failure, result.Error = outcomeOf(err), err.Error()
		return result
	}
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	lines := bufio.NewReader(conn)
	if greeted {
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if result.Greeting, err = lines.ReadString('\n'); err != nil {
			return fail(err)
		}
	}
	for end := time.Now().Add(duration); ; pause(ctx, every) {
		if err := exchange(conn, lines, result.Exchanges); err != nil {
			return fail(err)
		}
		result.Exchanges++
		if ctx.Err() != nil || !time.Now().Before(end) {
			return result
		}
	}
}

// pause waits for the duration or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func exchange(conn net.Conn, lines *bufio.Reader, n int) error {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "line %d\n", n); err != nil {
		return err
	}
	echoed, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("line %d\n", n); echoed != want {
		return fmt.Errorf("the server echoed %q, want %q", echoed, want)
	}
	return nil
}
