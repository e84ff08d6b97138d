package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bridgeMAC is fixed: a bridge without one changes its address with the pods attached to it, and neighbours' caches go stale.
var bridgeMAC = net.HardwareAddr{0x0a, 0x6f, 0x73, 0x6d, 0x00, 0x01}

// CreateBridge makes the bridge with the node's addresses, and routes the Service ranges to it: without a route the machine's
// own programs could not send to a cluster IP at all, and with the default route they would do so from an outside address.
func CreateBridge(p Plan) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = p.Bridge, bridgeMAC
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("cannot make the bridge %s: %w", p.Bridge, err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return err
	}
	for _, address := range []netip.Prefix{
		netip.PrefixFrom(p.NodeV4(), p.PodV4.Bits()), netip.PrefixFrom(p.NodeV6(), p.PodV6.Bits()),
	} {
		// Duplicate address detection would keep the IPv6 address unusable for as long as no pod is attached.
		a := &netlink.Addr{IPNet: ipNet(address), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrReplace(bridge, a); err != nil {
			return fmt.Errorf("cannot give %s the address %s: %w", p.Bridge, address, err)
		}
	}
	return addServiceRoutes(p, bridge)
}

func addServiceRoutes(p Plan, bridge netlink.Link) error {
	for _, r := range []struct {
		to   netip.Prefix
		from netip.Addr
	}{{p.ServiceV4, p.NodeV4()}, {p.ServiceV6, p.NodeV6()}} {
		route := &netlink.Route{LinkIndex: bridge.Attrs().Index, Dst: ipNet(r.to), Src: r.from.AsSlice(), Scope: unix.RT_SCOPE_LINK}
		if r.to.Addr().Is6() {
			route.Scope = unix.RT_SCOPE_UNIVERSE
		}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("cannot route the Service range %s to %s: %w", r.to, p.Bridge, err)
		}
	}
	return nil
}

// Links lists the cluster's interfaces that exist: the host sides of pods' links, then the bridge itself.
func Links(p Plan) ([]string, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	bridge := -1
	for _, l := range all {
		if l.Attrs().Name == p.Bridge {
			bridge = l.Attrs().Index
		}
	}
	var names []string
	for _, l := range all {
		if bridge > 0 && l.Attrs().MasterIndex == bridge {
			names = append(names, l.Attrs().Name)
		}
	}
	if bridge > 0 {
		names = append(names, p.Bridge)
	}
	return names, nil
}

// DeleteLinks removes the cluster's interfaces; addresses and routes go with them.
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

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
