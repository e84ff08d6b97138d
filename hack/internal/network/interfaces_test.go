package network

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
)

// A list that is interrupted is repeated, and another error is not.
func TestInterruptedListIsRepeated(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		failures int
		err      error
		calls    int
		want     error
	}{
		"whole":             {0, nil, 1, nil},
		"interrupted twice": {2, netlink.ErrDumpInterrupted, 3, nil},
		"always":            {1000, netlink.ErrDumpInterrupted, listAttempts, netlink.ErrDumpInterrupted},
		"another error":     {1000, broken, 1, broken},
	} {
		calls := 0
		_, err := whole(func() ([]int, error) {
			calls++
			if calls <= c.failures {
				return nil, c.err
			}
			return []int{1}, nil
		})
		if calls != c.calls || !errors.Is(err, c.want) {
			t.Errorf("%s: %d calls and the error %v, want %d and %v", name, calls, err, c.calls, c.want)
		}
	}
}
