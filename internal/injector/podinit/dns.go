package podinit

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ResolverFile configures name resolution in the pod. The kubelet writes it for all containers.
const ResolverFile = "/etc/resolv.conf"

// dns is the content of a ResolverFile.
type dns struct {
	// servers are the name servers.
	servers []netip.Addr
	// clusterDomain is the domain of the cluster; empty if the pod does not use the cluster's DNS.
	clusterDomain string
}

// readDNS reads a file. A missing file has nothing. Lines that a resolver would ignore are ignored.
func readDNS(file string) (dns, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return dns{}, nil
	}
	if err != nil {
		return dns{}, fmt.Errorf("the name servers of the pod cannot be read: %w", err)
	}
	var d dns
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "nameserver":
			if address, err := netip.ParseAddr(fields[1]); err == nil {
				d.servers = append(d.servers, address)
			}
		case fields[0] == "search":
			d.clusterDomain = clusterDomain(fields[1:])
		}
	}
	return d, nil
}

// clusterDomain returns the domain of the cluster from the search domains of a pod: "<namespace>.svc.<domain> svc.<domain> <domain>".
func clusterDomain(search []string) string {
	for _, domain := range search {
		if domain, found := strings.CutPrefix(strings.TrimSuffix(domain, "."), "svc."); found {
			return domain
		}
	}
	return ""
}

// hostOf returns a host of the control plane in the domain of the cluster. The domain is unknown to the injector.
func (d dns) hostOf(host string) string {
	service, found := strings.CutSuffix(host, "."+names.DefaultClusterDomain)
	if !found || d.clusterDomain == "" {
		return host
	}
	return service + "." + d.clusterDomain
}
