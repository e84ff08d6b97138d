package server

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Proxies is the document about the sidecars of a Store.
func Proxies(list []snapshot.Proxy) report.Proxies {
	result := report.Proxies{Proxies: make([]report.Proxy, 0, len(list))}
	for _, p := range list {
		proxy := proxy(p)
		result.Proxies = append(result.Proxies, proxy)
		result.Counts = result.Counts.Plus(proxy.Counts())
	}
	return result
}

func proxy(p snapshot.Proxy) report.Proxy {
	result := report.Proxy{
		Namespace: p.Pod.Namespace, Pod: p.Pod.Name, UID: p.PodUID, ServiceAccount: p.Scope.Identity.Name,
		Revision: p.Scope.Class.Revision, Connected: p.Since.UTC(), CertificateEnd: optional(p.CertificateEnd), Types: map[string]report.Type{},
		Envoy: p.Software.Envoy, Bootstrap: p.Software.Bootstrap, Unserved: p.Software.Unserved,
	}
	for t, status := range p.Types {
		result.Types[t.String()] = report.Type{
			Version: p.Offered[t], Sent: status.Sent, Accepted: status.Accepted, Rejected: status.Rejected,
			Behind: optional(status.Behind), Rejection: status.Rejection,
		}
	}
	return result
}

func object(s snapshot.PolicyStatus) report.Object {
	result := report.Object{
		Kind: string(s.Policy.Kind), Namespace: s.Policy.Name.Namespace, Name: s.Policy.Name.Name,
		Generation: s.Generation, Changed: s.Changed.UTC(), Sidecars: s.Sidecars, Acknowledged: s.Acknowledged, Rejected: s.Rejected, Settled: optional(s.Settled),
	}
	for _, pod := range s.Laggards {
		result.Laggards = append(result.Laggards, pod.String())
	}
	return result
}

// Rejections is the document about the policies that a Store withholds.
func Rejections(list []snapshot.Rejection) report.Rejections {
	result := report.Rejections{Rejections: make([]report.Rejection, 0, len(list))}
	for _, r := range list {
		result.Rejections = append(result.Rejections, report.Rejection{
			Kind: string(r.Policy.Kind), Namespace: r.Policy.Name.Namespace, Name: r.Policy.Name.Name,
			ServiceAccount: r.Scope.Identity.String(), Pod: r.Proxy.String(),
			Type: r.Type.String(), Resource: r.Resource, Text: r.Text, At: r.At.UTC(),
		})
	}
	return result
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
