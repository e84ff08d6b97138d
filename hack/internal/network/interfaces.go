package network

import (
	"errors"

	"github.com/vishvananda/netlink"
)

// listAttempts is how often a list of interfaces is tried. The kernel interrupts a list when an interface changes meanwhile, as when pods start.
const listAttempts = 20

// Interfaces lists the network interfaces of this network namespace.
func Interfaces() ([]netlink.Link, error) { return whole(netlink.LinkList) }

// whole repeats a list that the kernel has interrupted, because it may miss something.
func whole[T any](list func() ([]T, error)) ([]T, error) {
	all, err := list()
	for range listAttempts - 1 {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		all, err = list()
	}
	return all, err
}
