package server

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Proxies converts the sidecars of a Store to a document.
func Proxies(list []status.Proxy) report.Proxies {
	result := report.Proxies{Proxies: make([]report.Proxy, 0, len(list))}
	for _, p := range list {
		result.Proxies = append(result.Proxies, proxy(p))
	}
	result.Counts = report.CountPods(result.Proxies)
	return result
}

// authority describes the authority of a replica. It is nil while the trust bundle is unknown.
func authority(issuer Issuer, trust status.Trust) *report.Authority {
	trusted, err := certificate.Fingerprints(trust.Bundle)
	if err != nil {
		return nil
	}
	return &report.Authority{
		Issuer: issuer.Generation(), Failure: issuanceFailure(issuer.Failure()), Trusted: trusted, Since: trust.Since.UTC(),
		TrustDomain: trust.TrustDomains.Issued, ClientTrustDomains: trust.TrustDomains.Clients, ServerTrustDomains: trust.TrustDomains.Servers,
	}
}

func issuanceFailure(f *certificate.Failure) *report.IssuanceFailure {
	if f == nil {
		return nil
	}
	return &report.IssuanceFailure{Since: f.Since.UTC(), Error: f.Err.Error()}
}

func proxy(p status.Proxy) report.Proxy {
	result := report.Proxy{
		Namespace: p.Pod.Namespace, Pod: p.Pod.Name, UID: p.PodUID, ServiceAccount: p.Scope.Identity.Name,
		Revision: p.Revision, Connected: p.ConnectedSince.UTC(), UsesCertificates: p.UsesCertificates,
		AwaitsCertificate: p.AwaitsCertificate, CertificateEnd: optional(p.CertificateExpiry),
		CertificateIssuer: p.CertificateIssuer, CertificateTrustDomain: p.CertificateTrustDomain, Types: map[string]report.Type{},
		OnDemand: p.Scope.Class.OnDemand, OSM: p.Scope.Class.OSM,
		Envoy: p.Software.Envoy, Bootstrap: p.Software.Bootstrap, Unserved: p.Software.UnservedReason,
		Slot: p.Software.Slot, Epoch: p.Software.Epoch, Complete: p.IsComplete,
	}
	for t, ts := range p.Types {
		result.Types[t.String()] = report.Type{
			Version: p.ScopeVersions[t], Sent: ts.Sent, Accepted: ts.Acknowledged, Rejected: ts.Rejected,
			Behind: optional(ts.PendingSince), Rejection: ts.Rejection,
		}
	}
	return result
}

func object(s status.Policy) report.Object {
	result := report.Object{
		Kind: string(s.Policy.Kind), Namespace: s.Policy.Name.Namespace, Name: s.Policy.Name.Name,
		Generation: s.Generation, Changed: s.ChangedAt.UTC(), Sidecars: s.Proxies, Acknowledged: s.Acknowledged, Rejected: s.Rejected,
		RespondedAt: optional(s.CompletedAt),
	}
	for _, pod := range s.Pending {
		result.Laggards = append(result.Laggards, pod.String())
	}
	return result
}

// Rejections converts the quarantined policies of a Store, the servers that do not answer, and the policies with too many routes to a document.
func Rejections(list []quarantine.Rejection, failures []loadstats.Failure, limited []status.LimitedPolicy) report.Rejections {
	result := report.Rejections{Rejections: make([]report.Rejection, 0, len(list))}
	for _, r := range list {
		result.Rejections = append(result.Rejections, report.Rejection{
			Kind: string(r.Policy.Kind), Namespace: r.Policy.Name.Namespace, Name: r.Policy.Name.Name,
			ServiceAccount: r.Scope.Identity.String(), Pod: r.Proxy.String(),
			Type: r.Type.String(), Resource: r.Resource, Text: r.Message, At: r.At.UTC(),
		})
	}
	for _, f := range failures {
		failure := report.ServerFailure{Cluster: f.Cluster, ServiceAccount: f.Client.String(), Sidecars: f.Sidecars, Since: f.Since.UTC()}
		if f.Policy != (entity.Name{}) {
			failure.Policy = f.Policy.String()
		}
		result.Failures = append(result.Failures, failure)
	}
	for _, p := range limited {
		policy := report.LimitedPolicy{Kind: string(p.Policy.Kind), Namespace: p.Policy.Name.Namespace, Name: p.Policy.Name.Name, More: p.More}
		for _, account := range p.ServiceAccounts {
			policy.ServiceAccounts = append(policy.ServiceAccounts, account.String())
		}
		result.Limited = append(result.Limited, policy)
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

// Changes converts the latest changes of a Store to a document.
func Changes(list []status.Trace) report.Changes {
	result := report.Changes{Changes: make([]report.Change, 0, len(list))}
	for _, t := range list {
		result.Changes = append(result.Changes, change(t))
	}
	return result
}

func change(t status.Trace) report.Change {
	result := report.Change{
		Number: t.Number, At: t.StartedAt.UTC(), Objects: make([]report.ChangedObject, 0, len(t.Objects)), Total: t.Total,
		Scopes: t.Scopes, Resources: t.Resources,
		Sidecars: t.Streams, Acknowledged: t.Acknowledged, Rejected: t.Rejected, Left: t.Disconnected, Skipped: t.Skipped, Open: t.Open,
		Seconds: make(map[string]float64, len(t.Stages)),
	}
	for _, o := range t.Objects {
		result.Objects = append(result.Objects, report.ChangedObject{
			Kind: string(o.Ref.Kind), Namespace: o.Ref.Name.Namespace, Name: o.Ref.Name.Name, Generation: o.Generation, Removed: o.Removed,
		})
	}
	for stage, spent := range t.Stages {
		result.Seconds[stage.String()] = spent.Seconds()
	}
	if t.Duration > 0 {
		took := t.Duration.Seconds()
		result.Took = &took
	}
	for _, pod := range t.Pending {
		result.Waiting = append(result.Waiting, pod.String())
	}
	return result
}

func loads(l loadstats.Loads) report.Loads {
	result := report.Loads{Since: l.Since.UTC(), Sidecars: l.Sidecars, Reporting: l.Reporting, Loads: make([]report.Load, 0, len(l.Pairs))}
	for _, g := range l.Groups {
		result.Clients = append(result.Clients, report.LoadClient{
			Client: g.Client.String(), Revision: g.Revision, Sidecars: g.Sidecars, Reporting: g.Reporting, Starting: g.Starting,
		})
	}
	for _, p := range l.Pairs {
		load := report.Load{
			Client: p.Client.String(), Cluster: p.Cluster, Revision: p.Revision, LoadCounts: report.LoadCounts(p.Counts), Seconds: p.Over.Seconds(),
			Rate: p.Rate(), Average: p.IsAverage,
		}
		for _, r := range p.Recent {
			load.Recent = append(load.Recent, report.LoadInterval{Start: r.Start, LoadCounts: report.LoadCounts(r.Counts)})
		}
		result.Loads = append(result.Loads, load)
	}
	return result
}

func denialsOf(since time.Time, list []denials.Denial, dropped uint64) report.Denials {
	result := report.Denials{Since: since.UTC(), Dropped: dropped, Denials: make([]report.Denial, 0, len(list))}
	for _, d := range list {
		result.Denials = append(result.Denials, d.Report())
	}
	return result
}
