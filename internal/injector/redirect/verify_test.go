package redirect

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// Addresses of a Service and of a pod behind it. No packet to them leaves the pod under test.
const (
	service4, service6 = "10.96.0.5:15128", "[fd96::5]:15128"
	behind4, behind6   = "10.244.1.7", "fd00:244::7"
)

// newVerifiedPod returns a pod with rules and a peer, which has no listener for the Service.
func newVerifiedPod(t *testing.T, config Config) *nstest.Namespace {
	t.Helper()
	pod, peer := nstest.New(t), nstest.New(t)
	nstest.Connect(t, "eth0", pod, []string{pod4 + "/24", pod6 + "/64"}, peer, []string{peer4 + "/24", peer6 + "/64"})
	for _, route := range []string{"route add default via " + peer4, "-6 route add default via " + peer6} {
		pod.IP(t, route)
	}
	apply(t, pod, config)
	return pod
}

func verify(pod *nstest.Namespace, config Config) (reached bool, err error) {
	pod.Do(func() { reached, err = Verify(config) })
	return reached, err
}

func TestVerifyReachesTheSidecarsPort(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr(pod4), netip.MustParseAddr(pod6)}
	for name, test := range map[string]struct {
		change func(*Config)
		want   bool
	}{
		"IPv4":                      {func(*Config) {}, true},
		"IPv6":                      {func(c *Config) { c.Verify = netip.MustParseAddrPort(service6) }, true},
		"no address":                {func(c *Config) { c.Verify = netip.AddrPort{} }, false},
		"an excluded port":          {func(c *Config) { c.ExcludeOutboundPorts = []uint16{15128} }, false},
		"an excluded range":         {func(c *Config) { c.ExcludeOutboundRanges = prefixes("10.96.0.0/12") }, false},
		"an included range":         {func(c *Config) { c.IncludeOutboundRanges = prefixes("10.96.0.0/12") }, true},
		"another included range":    {func(c *Config) { c.IncludeOutboundRanges = prefixes("192.0.2.0/24") }, false},
		"another family than a pod": {func(c *Config) { c.PodIPs = both[1:] }, false},
	} {
		config := Config{PodIPs: both, Verify: netip.MustParseAddrPort(service4)}
		test.change(&config)
		reached, err := verify(newVerifiedPod(t, config), config)
		if reached != test.want || err != nil {
			t.Errorf("%s: reached is %t, want %t (%v)", name, reached, test.want, err)
		}
	}
}

// TestVerifyDetectsTranslationAtConnect replaces the address of a Service when a process connects, as Cilium and Calico do with the same kind of program.
func TestVerifyDetectsTranslationAtConnect(t *testing.T) {
	translateAtConnect(t)
	for name, test := range map[string]struct{ service, want string }{
		"IPv4": {service4, "a connection to 10.96.0.5:15128, the address of a Service, arrives as one to 10.244.1.7:15128"},
		"IPv6": {service6, "a connection to [fd96::5]:15128, the address of a Service, arrives as one to [fd00:244::7]:15128"},
	} {
		config := Config{PodIPs: []netip.Addr{netip.MustParseAddr(pod4), netip.MustParseAddr(pod6)}, Verify: netip.MustParseAddrPort(test.service)}
		pod := newVerifiedPod(t, config)
		reached, err := verify(pod, config)
		if !reached || err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "socketLB.hostNamespaceOnly") {
			t.Errorf("%s: reached is %t with the error %v, want %q and a remedy", name, reached, err, test.want)
		}
	}
}

// translateAtConnect moves the process of the test to a control group whose program replaces the addresses of the Service, until the test ends.
func translateAtConnect(t *testing.T) {
	t.Helper()
	root := t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Fatalf("the test needs root and control groups v2: %v", err)
	}
	group := filepath.Join(root, fmt.Sprintf("osm-test-%d", os.Getpid()))
	t.Cleanup(func() {
		move(t, root)
		if err := os.Remove(group); err != nil {
			t.Error(err)
		}
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	move(t, group)
	attach(t, group, ebpf.AttachCGroupInet4Connect, replaceAddress(4, netip.MustParseAddrPort(service4).Addr(), netip.MustParseAddr(behind4)))
	attach(t, group, ebpf.AttachCGroupInet6Connect, replaceAddress(8, netip.MustParseAddrPort(service6).Addr(), netip.MustParseAddr(behind6)))
}

// move puts the process of the test into a control group.
func move(t *testing.T, group string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Append(nil, os.Getpid()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, group string, to ebpf.AttachType, program asm.Instructions) {
	t.Helper()
	loaded, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.CGroupSockAddr, AttachType: to, Instructions: program, License: "Apache-2.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = loaded.Close() })
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: group, Attach: to, Program: loaded})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = attached.Close() })
}

// replaceAddress is a program that replaces one address by another one. The address has this offset in struct bpf_sock_addr, in words of four bytes.
func replaceAddress(offset int16, from, to netip.Addr) asm.Instructions {
	var check, write asm.Instructions
	old, replacement := from.AsSlice(), to.AsSlice()
	for i := 0; i < len(old); i += 4 {
		at := offset + int16(i)
		check = append(check,
			asm.LoadMem(asm.R2, asm.R1, at, asm.Word),
			asm.LoadImm(asm.R3, int64(binary.NativeEndian.Uint32(old[i:])), asm.DWord),
			asm.JNE.Reg(asm.R2, asm.R3, "end"),
		)
		write = append(write,
			asm.LoadImm(asm.R2, int64(binary.NativeEndian.Uint32(replacement[i:])), asm.DWord),
			asm.StoreMem(asm.R1, at, asm.R2, asm.Word),
		)
	}
	return append(append(check, write...), asm.Mov.Imm(asm.R0, 1).WithSymbol("end"), asm.Return())
}
