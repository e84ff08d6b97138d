package tap

import (
	"fmt"
	"strconv"
	"strings"
)

// Filter selects events. Empty fields select everything.
type Filter struct {
	Direction string
	// Method is compared without case. Path is a prefix.
	Method, Path string
	// Status is a code such as 503, or a class such as 5xx.
	Status string
	// Peer is a part of the identity or of the cluster.
	Peer string
	// Denied selects what a policy denied.
	Denied bool
}

// Check returns an error that names what is wrong with a filter.
func (f Filter) Check() error {
	switch f.Direction {
	case "", Inbound, Outbound:
	default:
		return fmt.Errorf("invalid --direction %q: must be %s or %s", f.Direction, Inbound, Outbound)
	}
	if f.Status == "" {
		return nil
	}
	if class, isClass := strings.CutSuffix(f.Status, "xx"); isClass && len(class) == 1 && class >= "1" && class <= "5" {
		return nil
	}
	if code, err := strconv.Atoi(f.Status); err != nil || code < 0 || code > 599 {
		return fmt.Errorf("invalid --status %q: must be a code such as 503, or a class such as 5xx", f.Status)
	}
	return nil
}

// Selects reports whether an event passes the filter.
func (f Filter) Selects(e Event) bool {
	return (f.Direction == "" || f.Direction == e.Direction) &&
		(f.Method == "" || strings.EqualFold(f.Method, e.Method)) &&
		strings.HasPrefix(e.Path, f.Path) && strings.Contains(e.Peer, f.Peer) &&
		(!f.Denied || e.DeniedBy != "") && f.hasStatus(e.Status)
}

func (f Filter) hasStatus(status int) bool {
	if class, isClass := strings.CutSuffix(f.Status, "xx"); isClass {
		return strconv.Itoa(status/100) == class
	}
	return f.Status == "" || f.Status == strconv.Itoa(status)
}
