package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bridgeMAC is fixed. Otherwise the bridge's address would change with the attached pods, and neighbour caches would be
// stale.
var bridgeMAC = net.HardwareAddr{0x0a, 0x6f, 0x73, 0x6d, 0x00, 0x01}

// CreateBridge creates the bridge with the node's addresses and routes the Service ranges to it. Without the route,
// programs of the machine could not reach a cluster IP, or would use an outside source address.
func CreateBridge(p Plan) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = p.Bridge, bridgeMAC
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("cannot create the bridge %s: %w", p.Bridge, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return err
	}
	for i, pods := range p.Pods() {
		address := netip.PrefixFrom(p.Nodes()[i], pods.Bits())
		// Duplicate address detection would delay the IPv6 address until a pod is attached.
		a := &netlink.Addr{IPNet: IPNet(address), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrReplace(bridge, a); err != nil {
			return fmt.Errorf("cannot add the address %s to %s: %w", address, p.Bridge, err)
		}
	}
	return addServiceRoutes(p, bridge)
}

func addServiceRoutes(p Plan, bridge netlink.Link) error {
	for i, to := range p.Services() {
		route := &netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: IPNet(to), Src: p.Nodes()[i].AsSlice(), Scope: unix.RT_SCOPE_LINK}
		if to.Addr().Is6() {
			route.Scope = unix.RT_SCOPE_UNIVERSE
		}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("cannot route the Service range %s to %s: %w", to, p.Bridge, err)
		}
	}
	return nil
}

// Links returns the cluster's existing interfaces: the host sides of pod links, then the bridge.
func Links(p Plan) ([]string, error) {
	all, err := Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	i := slices.IndexFunc(all, func(l netlink.Link) bool { return l.Attrs().Name == p.Bridge })
	if i < 0 {
		return nil, nil
	}
	var names []string
	for _, l := range all {
		if l.Attrs().MasterIndex == all[i].Attrs().Index {
			names = append(names, l.Attrs().Name)
		}
	}
	return append(names, p.Bridge), nil
}

// DeleteLinks deletes the cluster's interfaces, with their addresses and routes.
func DeleteLinks(p Plan) error {
	names, err := Links(p)
	if err != nil {
		return err
	}
	for _, name := range names {
		link, err := netlink.LinkByName(name)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			continue
		}
		if err != nil {
			return err
		}
		if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("cannot remove the interface %s: %w", name, err)
		}
	}
	return nil
}

// IPNet returns a range in the form of the interfaces of the kernel.
func IPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
