package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	for _, address := range []netip.Prefix{
		netip.PrefixFrom(p.NodeV4(), p.PodV4.Bits()), netip.PrefixFrom(p.NodeV6(), p.PodV6.Bits()),
	} {
		// Duplicate address detection would delay the IPv6 address until a pod is attached.
		a := &netlink.Addr{IPNet: ipNet(address), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrReplace(bridge, a); err != nil {
			return fmt.Errorf("cannot add the address %s to %s: %w", address, p.Bridge, err)
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

// Links returns the cluster's existing interfaces: the host sides of pod links, then the bridge.
func Links(p Plan) ([]string, error) {
	all, err := netlink.LinkList()
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

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Plan holds the cluster's addresses, in private ranges.
type Plan struct {
	// Bridge is the name of the interface that the host side of every pod link is attached to.
	Bridge string
	// CNIName is the network name in the records of CNI plugins.
	CNIName string
	// NodeName is the name of the single node.
	NodeName string
	// PodV4 and PodV6 are the ranges of pod addresses. The first address of each belongs to the bridge and the node.
	PodV4, PodV6 netip.Prefix
	// ServiceV4 and ServiceV6 are the ranges of cluster IPs.
	ServiceV4, ServiceV6 netip.Prefix
	// APIPort is the port of the API server on the node's address.
	APIPort int
}

// Default is the plan of the local cluster.
func Default() Plan {
	return Plan{
		Bridge:    "osm-local0",
		CNIName:   "osm-local",
		NodeName:  "osm-local",
		PodV4:     netip.MustParsePrefix("10.244.0.0/16"),
		PodV6:     netip.MustParsePrefix("fd6f:736d:0:1::/64"),
		ServiceV4: netip.MustParsePrefix("10.96.0.0/16"),
		ServiceV6: netip.MustParsePrefix("fd6f:736d:0:2::/112"),
		APIPort:   6443,
	}
}

// NodeV4 returns the IPv4 address of the bridge and node.
func (p Plan) NodeV4() netip.Addr { return nth(p.PodV4, 1) }

// NodeV6 returns the IPv6 address of the bridge and node.
func (p Plan) NodeV6() netip.Addr { return nth(p.PodV6, 1) }

// APIServiceV4 returns the cluster IP of the Service "kubernetes".
func (p Plan) APIServiceV4() netip.Addr { return nth(p.ServiceV4, 1) }

// DNSV4 returns the IPv4 cluster IP of the DNS Service.
func (p Plan) DNSV4() netip.Addr { return nth(p.ServiceV4, 10) }

// DNSV6 returns the IPv6 cluster IP of the DNS Service.
func (p Plan) DNSV6() netip.Addr { return nth(p.ServiceV6, 10) }

// APIServer returns the URL of the API server.
func (p Plan) APIServer() string {
	return "https://" + netip.AddrPortFrom(p.NodeV4(), uint16(p.APIPort)).String()
}

// nth returns the n-th address of the range; the network address has index 0.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}

// requiredSettings returns the kernel settings that the cluster needs. The bridge settings pass packets between pods of
// the bridge through the packet filter, where Services are translated.
func requiredSettings() map[string]string {
	return map[string]string{
		"net/ipv4/ip_forward":                 "1",
		"net/ipv6/conf/all/forwarding":        "1",
		"net/bridge/bridge-nf-call-iptables":  "1",
		"net/bridge/bridge-nf-call-ip6tables": "1",
		"fs/inotify/max_user_instances":       "8192",
	}
}

// changedByKubelet returns the settings that the kubelet changes when it starts.
func changedByKubelet() []string {
	return []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	}
}

// Sysctls changes and restores kernel settings.
type Sysctls struct {
	// Root is the folder of the settings, /proc/sys outside tests.
	Root string
	// Record is the file with the earlier values.
	Record string
}

// Apply records the values of all settings that the cluster or the kubelet changes, then sets the required ones. An
// existing record is kept, because it has the values from before the cluster.
func (s Sysctls) Apply() error {
	if _, err := os.Stat(s.Record); errors.Is(err, fs.ErrNotExist) {
		if err := s.recordValues(); err != nil {
			return err
		}
	}
	for name, value := range requiredSettings() {
		if err := s.write(name, value); err != nil {
			return fmt.Errorf("cannot set the kernel setting %s to %s (is the module loaded?): %w", name, value, err)
		}
	}
	return nil
}

func (s Sysctls) recordValues() error {
	before := map[string]string{}
	for _, name := range append(slices.Sorted(maps.Keys(requiredSettings())), changedByKubelet()...) {
		if value, err := os.ReadFile(filepath.Join(s.Root, name)); err == nil {
			before[name] = strings.TrimSpace(string(value))
		}
	}
	content, err := json.MarshalIndent(before, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.Record, append(content, '\n'), 0o644)
}

// Restore restores the recorded values. Without a record it does nothing.
func (s Sysctls) Restore() error {
	content, err := os.ReadFile(s.Record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var before map[string]string
	if err := json.Unmarshal(content, &before); err != nil {
		return fmt.Errorf("%s is damaged, kernel settings are not restored: %w", s.Record, err)
	}
	var failed error
	for _, name := range slices.Sorted(maps.Keys(before)) {
		failed = errors.Join(failed, s.write(name, before[name]))
	}
	return failed
}

func (s Sysctls) write(name, value string) error {
	file := filepath.Join(s.Root, name)
	now, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(now)) == value {
		return nil
	}
	return os.WriteFile(file, []byte(value), 0o644)
}
