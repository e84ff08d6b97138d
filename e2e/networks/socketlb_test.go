package networks

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// Offsets in struct bpf_sock_addr: the address that a process connects to, and its port. Both are in network byte order.
const (
	addressOffset, portOffset = 4, 24
	// keySize is the size of both together, as words of four bytes.
	keySize = 8
)

// translateAtConnect replaces addresses of Services by addresses of pods whenever a process of the cluster connects, until the returned function is called. This
// is how Cilium replaces kube-proxy at sockets.
func translateAtConnect(t *testing.T) (end func()) {
	t.Helper()
	table, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: keySize, ValueSize: keySize, MaxEntries: 4096})
	lab.Must(t, err)
	entries := backends(t)
	for from, to := range entries {
		lab.Must(t, table.Put(socketAddress(from), socketAddress(to)))
	}
	t.Logf("%d ports of Services are replaced at connect", len(entries))
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect, Instructions: lookUp(table), License: "Apache-2.0",
	})
	lab.Must(t, err)
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: clusterGroup(t), Attach: ebpf.AttachCGroupInet4Connect, Program: program})
	lab.Must(t, err)
	ended := false
	end = func() {
		if !ended {
			ended = true
			lab.Must(t, attached.Close())
			lab.Must(t, program.Close())
			lab.Must(t, table.Close())
		}
	}
	t.Cleanup(end)
	return end
}

// clusterGroup returns the folder of the control group of all pods, in the hierarchy of version 2.
func clusterGroup(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		found, err := filepath.Glob(filepath.Join(root, "osm-local", "kubepods", "cgroup.subtree_control"))
		lab.Must(t, err)
		if len(found) > 0 {
			return filepath.Dir(found[0])
		}
	}
	t.Fatal("pods of the local cluster have no control group of version 2")
	return ""
}

// backends returns one ready endpoint for each TCP port of a Service with an address.
func backends(t *testing.T) map[netip.AddrPort]netip.AddrPort {
	t.Helper()
	var services corev1.ServiceList
	lab.Must(t, cluster.Client.List(t.Context(), &services))
	found := map[netip.AddrPort]netip.AddrPort{}
	for _, service := range services.Items {
		address, err := netip.ParseAddr(service.Spec.ClusterIP)
		if err != nil || !address.Is4() {
			continue
		}
		var slices discoveryv1.EndpointSliceList
		lab.Must(t, cluster.Client.List(t.Context(), &slices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}))
		for _, port := range service.Spec.Ports {
			if behind, ok := endpoint(slices.Items, port.Name); ok && port.Protocol == corev1.ProtocolTCP {
				found[netip.AddrPortFrom(address, uint16(port.Port))] = behind
			}
		}
	}
	return found
}

// endpoint returns the first ready endpoint of a port.
func endpoint(slices []discoveryv1.EndpointSlice, port string) (netip.AddrPort, bool) {
	for _, slice := range slices {
		for _, p := range slice.Ports {
			for _, e := range slice.Endpoints {
				if ptr.Deref(p.Name, "") == port && slice.AddressType == discoveryv1.AddressTypeIPv4 && ptr.Deref(e.Conditions.Ready, true) {
					return netip.AddrPortFrom(netip.MustParseAddr(e.Addresses[0]), uint16(ptr.Deref(p.Port, 0))), true
				}
			}
		}
	}
	return netip.AddrPort{}, false
}

// socketAddress returns address and port as the kernel has them.
func socketAddress(a netip.AddrPort) []byte {
	port := a.Port()
	return append(a.Addr().AsSlice(), byte(port>>8), byte(port), 0, 0)
}

// lookUp is a program that replaces the address of a connection by the one in a table, if there is one.
func lookUp(table *ebpf.Map) asm.Instructions {
	const none = "none"
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, addressOffset, asm.Word),
		asm.StoreMem(asm.RFP, -keySize, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, portOffset, asm.Word),
		asm.StoreMem(asm.RFP, -keySize/2, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, table.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -keySize),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.R6, addressOffset, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R0, keySize/2, asm.Word),
		asm.StoreMem(asm.R6, portOffset, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R0, 1).WithSymbol(none),
		asm.Return(),
	}
}

// initLog returns what osm-init of a pod has written.
func initLog(ctx context.Context, namespace, pod string) (string, error) {
	return cluster.Kubectl(ctx, "logs", "--namespace", namespace, pod, "--container", "osm-init")
}
