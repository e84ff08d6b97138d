package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// door is one port of one Service by which the destination can be called.
type door struct {
	service *catalog.Service
	port    catalog.Port
	// pod is the address that the client of a headless Service chooses.
	pod netip.Addr
	// only is the identity that the question is about; empty when it is about all behind the Service.
	only identity.ServiceAccount
}

// doors are the ways to a destination; port 0 means all ports.
func doors(v *catalog.View, to party, port uint16) ([]door, error) {
	if to.service != nil {
		return portsOf(v, to.service, identity.ServiceAccount{}, port, nil)
	}
	services := v.ServicesOf(to.identity)
	if to.pod != nil {
		services = v.ServicesOfPod(to.pod)
	}
	var all []door
	for _, name := range services {
		some, err := portsOf(v, v.Service(name), to.identity, 0, to.pod)
		if err != nil {
			return nil, err
		}
		for _, d := range some {
			if port == 0 || d.port.Number == port || v.TargetPort(d.service, d.port) == port {
				all = append(all, d)
			}
		}
	}
	if port != 0 && len(all) == 0 && len(services) > 0 {
		return nil, fmt.Errorf("no Service leads to port %d of %s", port, to.what)
	}
	return all, nil
}

func portsOf(v *catalog.View, service *catalog.Service, only identity.ServiceAccount, port uint16, pod *catalog.Pod) ([]door, error) {
	var all []door
	for _, p := range service.Ports {
		if port == 0 || p.Number == port {
			all = append(all, door{service: service, port: p, only: only, pod: chosen(v, service, p, only, pod)})
		}
	}
	if port != 0 && len(all) == 0 && v.Service(service.Name) != nil {
		return nil, fmt.Errorf("the Service %s has no port %d that the mesh knows", service.Name, port)
	}
	return all, nil
}

// chosen is the address that a client of a headless Service would connect to: the pod's, or the first one that fits.
func chosen(v *catalog.View, service *catalog.Service, port catalog.Port, only identity.ServiceAccount, pod *catalog.Pod) netip.Addr {
	if !service.Headless() {
		return netip.Addr{}
	}
	for _, b := range v.Backends(service, port) {
		if pod != nil && !slices.Contains(pod.IPs, b.Address.Addr()) {
			continue
		}
		if only == (identity.ServiceAccount{}) || b.Identity == only {
			return b.Address.Addr()
		}
	}
	return netip.Addr{}
}

// behind is an identity that takes requests at a door, after a TrafficSplit.
type behind struct {
	service  catalog.Name
	identity identity.ServiceAccount
	// port is the container's.
	port     uint16
	protocol catalog.Protocol
	// split is the TrafficSplit that leads there, and matches the requests that it takes; empty without one.
	split, matches string
}

// everybody lists who takes what the question asks about at a door: one request, or all.
func (d door) everybody(k asker) []behind {
	divisions := authz.Divisions(k.v, d.service, d.port)
	if d.port.Protocol.IsHTTP() && k.question.asksRequest() {
		divisions = []authz.Division{authz.Taking(divisions, k.request(d))}
	}
	var all []behind
	for _, division := range divisions {
		for _, leaf := range division.Leaves {
			if leaf.Weight == 0 {
				continue
			}
			for _, sa := range k.v.Backers(leaf.Service.Name) {
				if d.only == (identity.ServiceAccount{}) || d.only == sa {
					b := behind{service: leaf.Service.Name, identity: sa, port: leaf.Target, protocol: authz.Door(k.v, leaf.Service, leaf.Port)}
					b.split, b.matches = named(division)
					all = append(all, b)
				}
			}
		}
	}
	return all
}

// named says which TrafficSplit divides requests, and which requests.
func named(division authz.Division) (split, matches string) {
	if division.Split != nil {
		split = division.Split.Name.String()
	}
	var list []string
	for _, match := range division.Matches {
		list = append(list, match.String())
	}
	return split, strings.Join(list, ", or ")
}

// host is the value of the Host header that clients send.
func (d door) host() string {
	host := d.service.Name.Name + "." + d.service.Name.Namespace
	if d.port.Number != 80 {
		host += fmt.Sprintf(":%d", d.port.Number)
	}
	return host
}
