package machine

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/hack/internal/network"
)

const (
	// linkPrefix begins the names of the host's ends of links, followed by the number of the machine, and uplink is the name of the other end.
	linkPrefix, uplink = "osmx", "uplink0"
)

func (m Machine) linkName() string { return linkPrefix + strconv.Itoa(m.Number) }

// end is an address of one end of a link, and the host's address as its gateway.
type end struct{ host, machine netip.Prefix }

// ends returns the addresses of both ends, for each family.
func (m Machine) ends() []end {
	v4, v6 := fmt.Sprintf("10.250.%d.", m.Number), fmt.Sprintf("fd6f:736d:ffff:%d::", m.Number)
	return []end{
		{netip.MustParsePrefix(v4 + "1/30"), netip.MustParsePrefix(v4 + "2/30")},
		{netip.MustParsePrefix(v6 + "1/64"), netip.MustParsePrefix(v6 + "2/64")},
	}
}

// ranges returns all addresses of a machine: pods, Services and, except for the host, the link, from which its programs call.
func (m Machine) ranges() []netip.Prefix {
	all := network.Numbered(m.Number).Ranges()
	if m.Number == 0 {
		return all
	}
	for _, e := range m.ends() {
		all = append(all, e.machine.Masked())
	}
	return all
}

// link connects a machine with the host: two addresses for each family, and the host's routes to pods and Services of the machine.
func link(m Machine) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = m.linkName()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: uplink, PeerNamespace: netlink.NsPid(m.Pid)}); err != nil {
		return fmt.Errorf("cannot create the link %s: %w", attributes.Name, err)
	}
	inside, err := enter(m)
	if err != nil {
		return err
	}
	defer inside.Close()
	outside, err := netlink.NewHandle()
	if err != nil {
		return err
	}
	defer outside.Close()
	var atHost, atMachine []netip.Prefix
	for _, e := range m.ends() {
		atHost, atMachine = append(atHost, e.host), append(atMachine, e.machine)
	}
	if err := setUp(outside, attributes.Name, atHost); err != nil {
		return err
	}
	if err := setUp(inside, uplink, atMachine); err != nil {
		return err
	}
	return route(outside, m, network.Numbered(m.Number).Ranges(), func(e end) netip.Prefix { return e.machine })
}

// enter returns a handle for the network of a machine.
func enter(m Machine) (*netlink.Handle, error) {
	namespace, err := netns.GetFromPid(m.Pid)
	if err != nil {
		return nil, err
	}
	defer func() { _ = namespace.Close() }()
	return netlink.NewHandleAt(namespace)
}

// setUp gives an interface addresses and sets it up.
func setUp(in *netlink.Handle, name string, addresses []netip.Prefix) error {
	device, err := in.LinkByName(name)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		// Duplicate address detection would delay the IPv6 address.
		if err := in.AddrReplace(device, &netlink.Addr{IPNet: network.IPNet(address), Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("cannot add the address %s to %s: %w", address, name, err)
		}
	}
	return in.LinkSetUp(device)
}

// route sends packets for addresses over the link of a machine. gateway is the other end.
func route(in *netlink.Handle, m Machine, to []netip.Prefix, gateway func(end) netip.Prefix) error {
	for _, prefix := range to {
		e := m.ends()[0]
		if prefix.Addr().Is6() {
			e = m.ends()[1]
		}
		if err := in.RouteReplace(&netlink.Route{Dst: network.IPNet(prefix), Gw: gateway(e).Addr().AsSlice()}); err != nil {
			return fmt.Errorf("cannot route %s over the link of %s: %w", prefix, m.Name, err)
		}
	}
	return nil
}

// drop discards packets for addresses, without an answer.
func drop(in *netlink.Handle, to []netip.Prefix) error {
	for _, prefix := range to {
		if err := in.RouteReplace(&netlink.Route{Dst: network.IPNet(prefix), Type: unix.RTN_BLACKHOLE}); err != nil {
			return fmt.Errorf("cannot discard packets for %s: %w", prefix, err)
		}
	}
	return nil
}

// Connect lets pods and programs of two machines reach each other's pods and Services. Either may be the host.
func (h *Host) Connect(one, other string) error {
	return h.both(one, other, func(in *netlink.Handle, m Machine, to []netip.Prefix) error {
		return route(in, m, to, func(e end) netip.Prefix { return e.host })
	})
}

// Join makes a machine a further node of the host's cluster: pods of both reach each other, and each node translates addresses of Services itself.
func (h *Host) Join(m Machine) error {
	if err := os.WriteFile(m.join(joinedFile), nil, 0o644); err != nil {
		return err
	}
	return h.Connect(m.Name, HostName)
}

// joinedFile exists on further nodes of the host's cluster.
const joinedFile = "joined"

// routed returns the addresses of another machine to which packets of this one are routed. A further node has no routes to Services.
func (m Machine) routed(other Machine) []netip.Prefix {
	if _, err := os.Stat(m.join(joinedFile)); err != nil {
		return other.ranges()
	}
	plan := network.Numbered(other.Number)
	return slices.DeleteFunc(other.ranges(), func(p netip.Prefix) bool { return p == plan.ServiceV4 || p == plan.ServiceV6 })
}

// Partition makes two machines lose all packets for each other, until Heal. The host reaches a machine's programs still, from its own address.
func (h *Host) Partition(one, other string) error {
	return h.both(one, other, func(in *netlink.Handle, _ Machine, to []netip.Prefix) error { return drop(in, to) })
}

// Heal ends a Partition.
func (h *Host) Heal(one, other string) error { return h.Connect(one, other) }

// both changes the routes of two machines to each other.
func (h *Host) both(one, other string, change func(in *netlink.Handle, m Machine, to []netip.Prefix) error) error {
	if one == other {
		return fmt.Errorf("name two different machines, not %q twice", one)
	}
	var pair [2]Machine // the host has number 0
	for i, name := range []string{one, other} {
		if name == HostName {
			continue
		}
		m, err := h.Find(name)
		if err != nil {
			return err
		}
		pair[i] = m
	}
	for i, m := range pair {
		if m.Number == 0 {
			continue
		}
		in, err := enter(m)
		if err != nil {
			return err
		}
		defer in.Close()
		if err := change(in, m, m.routed(pair[1-i])); err != nil {
			return err
		}
	}
	return nil
}

// links returns the numbers of all machines that have a link.
func links() ([]int, error) {
	all, err := network.Interfaces()
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, l := range all {
		if text, ok := strings.CutPrefix(l.Attrs().Name, linkPrefix); ok {
			if n, err := strconv.Atoi(text); err == nil {
				numbers = append(numbers, n)
			}
		}
	}
	return numbers, nil
}

// unlink removes the link of a machine, with its routes.
func unlink(m Machine) error {
	device, err := netlink.LinkByName(m.linkName())
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(device)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot remove the link %s: %w", m.linkName(), err)
	}
	return nil
}
