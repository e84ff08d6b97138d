package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// sessionSummary is what came of one long TCP connection.
type sessionSummary struct {
	Greeting  string `json:"greeting,omitempty"`
	Exchanges int    `json:"exchanges"`
	// Failure is how the session ended before its time; empty when it did not.
	Failure string `json:"failure,omitempty"`
	Error   string `json:"error,omitempty"`
}

func sessionCommand() *cobra.Command {
	var duration, every time.Duration
	var greeted bool
	cmd := &cobra.Command{
		Use:   "session ADDRESS",
		Short: "hold one TCP connection to an echo server and exchange lines over it",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			result := session(args[0], duration, every, greeted)
			return json.NewEncoder(os.Stdout).Encode(result)
		},
	}
	cmd.Flags().DurationVar(&duration, "duration", 0, "how long to hold the connection; 0 means for one exchange")
	cmd.Flags().DurationVar(&every, "every", 200*time.Millisecond, "time between exchanges")
	cmd.Flags().BoolVar(&greeted, "greeted", false, "the server speaks first: read its line before saying anything")
	return cmd
}

func session(address string, duration, every time.Duration, greeted bool) sessionSummary {
	var result sessionSummary
	fail := func(err error) sessionSummary {
		result.Failure, result.Error = failure(err), err.Error()
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
	for end := time.Now().Add(duration); ; time.Sleep(every) {
		if err := exchange(conn, lines, result.Exchanges); err != nil {
			return fail(err)
		}
		result.Exchanges++
		if !time.Now().Before(end) {
			return result
		}
	}
}

func exchange(conn net.Conn, lines *bufio.Reader, n int) error {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "line %d\n", n); err != nil {
		return err
	}
	said, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("line %d\n", n); said != want {
		return fmt.Errorf("the server echoed %q instead of %q", said, want)
	}
	return nil
}
