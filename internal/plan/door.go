package plan

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// doorID is a port of a Service.
type doorID struct {
	service catalog.Name
	port    uint16
}

func (id doorID) compare(other doorID) int {
	if c := id.service.Compare(other.service); c != 0 {
		return c
	}
	return int(id.port) - int(other.port)
}

func (id doorID) String() string { return fmt.Sprintf("%s:%d", id.service, id.port) }

// door is who takes what is sent to a port of a Service.
type door struct {
	http   bool
	places []place
	// steering are the matches by which TrafficSplits tell requests apart.
	steering []catalog.HTTPMatch
	// pods are addresses that clients of a headless Service choose among, one for each identity; nil for others.
	pods []netip.Addr
}

// place is an identity that takes a share of the requests to a door.
type place struct {
	service  catalog.Name
	identity identity.ServiceAccount
	// split is the position of the division that leads here, weighted false when it gets no share.
	split    int
	weighted bool
	// ready is true when some pod of the identity takes connections.
	ready bool
	rules authz.Rules
}

// doors are those of all Services of a mesh.
type doors struct {
	view  *catalog.View
	rules map[ruleKey]authz.Rules
}

type ruleKey struct {
	identity identity.ServiceAccount
	port     uint16
	protocol catalog.Protocol
}

func (d *doors) all() map[doorID]*door {
	all := map[doorID]*door{}
	for _, name := range d.view.Services() {
		service := d.view.Service(name)
		for _, port := range service.Ports {
			all[doorID{name, port.Number}] = d.at(service, port)
		}
	}
	return all
}

func (d *doors) at(service *catalog.Service, port catalog.Port) *door {
	result := &door{http: port.Protocol.IsHTTP()}
	for i, division := range authz.Divisions(d.view, service, port) {
		for _, match := range division.Matches {
			plain := match.HTTPMatch
			plain.Name = ""
			result.steering = append(result.steering, plain)
		}
		for _, leaf := range division.Leaves {
			result.places = append(result.places, d.behind(i, leaf)...)
		}
	}
	if service.Headless() {
		result.pods = d.chosen(service, port)
	}
	return result
}

// behind are the identities behind a leaf.
func (d *doors) behind(split int, leaf authz.Leaf) []place {
	protocol := authz.Door(d.view, leaf.Service, leaf.Port)
	backends := d.view.Backends(leaf.Service, leaf.Port)
	var list []place
	for _, sa := range d.view.Backers(leaf.Service.Name) {
		list = append(list, place{
			service: leaf.Service.Name, identity: sa, split: split, weighted: leaf.Weight > 0,
			ready: slices.ContainsFunc(backends, func(b catalog.Backend) bool { return b.Identity == sa }),
			rules: d.rulesOf(ruleKey{sa, leaf.Target, protocol}),
		})
	}
	return list
}

func (d *doors) rulesOf(k ruleKey) authz.Rules {
	rules, known := d.rules[k]
	if !known {
		rules = authz.Inbound(d.view, k.identity, k.port, k.protocol)
		d.rules[k] = rules
	}
	return rules
}

// chosen is an address of each identity behind a headless Service.
func (d *doors) chosen(service *catalog.Service, port catalog.Port) []netip.Addr {
	pods := []netip.Addr{}
	seen := map[identity.ServiceAccount]bool{}
	for _, b := range d.view.Backends(service, port) {
		if !seen[b.Identity] {
			seen[b.Identity] = true
			pods = append(pods, b.Address.Addr())
		}
	}
	return pods
}

// same says whether nothing about a door is different.
func (d *door) same(other *door) bool {
	return d != nil && other != nil && reflect.DeepEqual(d, other)
}

// permissive says whether everybody is let in.
func (d *door) permissive() bool {
	return d != nil && slices.ContainsFunc(d.places, func(p place) bool { return p.rules.Permissive })
}

// sources are the identities that policies let connect, in order.
func (d *door) sources() []identity.ServiceAccount {
	if d == nil {
		return nil
	}
	var all []identity.ServiceAccount
	for _, p := range d.places {
		for _, rule := range p.rules.Network {
			all = append(all, rule.Sources...)
		}
	}
	slices.SortFunc(all, identity.ServiceAccount.Compare)
	return slices.Compact(all)
}

// connects says whether a source's sidecar knows the door.
func (d *door) connects(source identity.ServiceAccount) bool {
	return d != nil && slices.ContainsFunc(d.places, func(p place) bool { return p.connects(source) })
}

func (p place) connects(source identity.ServiceAccount) bool {
	return p.rules.Permissive || slices.ContainsFunc(p.rules.Network, func(r authz.NetworkRule) bool { return slices.Contains(r.Sources, source) })
}

// granted are the matches of the requests that a source may send to a place.
func (p place) granted(source identity.ServiceAccount) []catalog.HTTPMatch {
	var list []catalog.HTTPMatch
	for _, route := range p.rules.Routes {
		if route.AnySource || slices.Contains(route.Sources, source) {
			list = append(list, route.Match)
		}
	}
	return list
}

// share is what a door looks like to one source.
type share struct {
	Service                   catalog.Name
	Identity                  identity.ServiceAccount
	Split                     int
	Weighted, Ready, Connects bool
	Granted                   []catalog.HTTPMatch
}

// facts are all that decides what becomes of what a source sends to a door.
func (d *door) facts(source identity.ServiceAccount) []share {
	if d == nil {
		return nil
	}
	list := []share{}
	for _, p := range d.places {
		s := share{Service: p.service, Identity: p.identity, Split: p.split, Weighted: p.weighted, Ready: p.ready, Connects: p.connects(source)}
		if s.Connects {
			s.Granted = p.granted(source)
		}
		list = append(list, s)
	}
	return list
}
