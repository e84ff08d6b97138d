package server

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Proxies converts the sidecars of a Store to a document.
func Proxies(list []status.Proxy) report.Proxies {
	proxies := convert(list, proxy)
	return report.Proxies{Proxies: proxies, Counts: report.CountPods(proxies)}
}

// convert returns the results of a function for the elements of a list. Without any it is empty, because JSON has null for nil.
func convert[A, B any](list []A, f func(A) B) []B {
	converted := make([]B, 0, len(list))
	for _, element := range list {
		converted = append(converted, f(element))
	}
	return converted
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
		Namespace: p.Pod.Namespace, Pod: p.Pod.Name, UID: string(p.InstanceID), ServiceAccount: p.Scope.Identity.Name,
		Revision: p.Revision, Connected: p.ConnectedSince.UTC(), UsesCertificates: p.UsesCertificates,
		AwaitsCertificate: p.AwaitsCertificate, CertificateEnd: optional(p.CertificateExpiry),
		CertificateIssuer: p.CertificateIssuer, CertificateTrustDomain: p.CertificateTrustDomain, Types: map[string]report.Type{},
		OnDemand: p.Scope.Class.OnDemand, OSM: p.Scope.Class.OSM,
		Envoy: p.Software.Envoy, Bootstrap: p.Software.Bootstrap, Unserved: p.Software.UnservedReason,
		Slot: p.Software.Slot, Epoch: p.Software.Epoch, Complete: p.IsComplete,
	}
	if p.Destinations != (status.Destinations{}) {
		result.Destinations = &report.Destinations{Loaded: p.Destinations.Loaded, Unknown: p.Destinations.Unknown, Forgotten: p.Destinations.Forgotten}
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
	return report.Object{
		Kind: string(s.Policy.Kind), Namespace: s.Policy.Name.Namespace, Name: s.Policy.Name.Name,
		Generation: s.Generation, Changed: s.ChangedAt.UTC(), Sidecars: s.Proxies, Acknowledged: s.Acknowledged, Rejected: s.Rejected,
		RespondedAt: optional(s.CompletedAt), Laggards: convert(s.Pending, entity.Name.String),
	}
}

// Rejections converts the quarantined policies of a Store, the servers that do not answer, and the policies with too many routes to a document.
func Rejections(list []quarantine.Rejection, failures []loadstats.Failure, limited []status.LimitedPolicy) report.Rejections {
	return report.Rejections{
		Rejections: convert(list, func(r quarantine.Rejection) report.Rejection {
			return report.Rejection{
				Kind: string(r.Policy.Kind), Namespace: r.Policy.Name.Namespace, Name: r.Policy.Name.Name,
				ServiceAccount: r.Scope.Identity.String(), Pod: r.Proxy.String(),
				Type: r.Type.String(), Resource: r.Resource, Text: r.Message, At: r.At.UTC(),
			}
		}),
		Failures: convert(failures, func(f loadstats.Failure) report.ServerFailure {
			failure := report.ServerFailure{Cluster: f.Cluster, ServiceAccount: f.Client.String(), Sidecars: f.Sidecars, Since: f.Since.UTC()}
			if f.Policy != (entity.Name{}) {
				failure.Policy = f.Policy.String()
			}
			return failure
		}),
		Limited: convert(limited, func(p status.LimitedPolicy) report.LimitedPolicy {
			return report.LimitedPolicy{
				Kind: string(p.Policy.Kind), Namespace: p.Policy.Name.Namespace, Name: p.Policy.Name.Name, More: p.More,
				ServiceAccounts: convert(p.ServiceAccounts, identity.ServiceAccount.String),
			}
		}),
	}
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
	return report.Changes{Changes: convert(list, change)}
}

func change(t status.Trace) report.Change {
	result := report.Change{
		Number: t.Number, At: t.StartedAt.UTC(), Total: t.Total, Scopes: t.Scopes, Resources: t.Resources,
		Sidecars: t.Streams, Acknowledged: t.Acknowledged, Rejected: t.Rejected, Left: t.Disconnected, Skipped: t.Skipped, Open: t.Open,
		Seconds: make(map[string]float64, len(t.Stages)),
		Objects: convert(t.Objects, func(o status.TracedObject) report.ChangedObject {
			return report.ChangedObject{
				Kind: string(o.Ref.Kind), Namespace: o.Ref.Name.Namespace, Name: o.Ref.Name.Name, Generation: o.Generation, Removed: o.Removed,
			}
		}),
		Waiting: convert(t.Pending, entity.Name.String),
	}
	for stage, spent := range t.Stages {
		result.Seconds[stage.String()] = spent.Seconds()
	}
	if t.Duration > 0 {
		took := t.Duration.Seconds()
		result.Took = &took
	}
	return result
}

func loads(l loadstats.Loads) report.Loads {
	return report.Loads{
		Since: l.Since.UTC(), Sidecars: l.Sidecars, Reporting: l.Reporting,
		Clients: convert(l.Groups, func(g loadstats.Group) report.LoadClient {
			return report.LoadClient{Client: g.Client.String(), Revision: g.Revision, Sidecars: g.Sidecars, Reporting: g.Reporting, Starting: g.Starting}
		}),
		Loads: convert(l.Pairs, func(p loadstats.Pair) report.Load {
			return report.Load{
				Client: p.Client.String(), Cluster: p.Cluster, Revision: p.Revision, LoadCounts: report.LoadCounts(p.Counts), Seconds: p.Over.Seconds(),
				Rate: p.Rate(), Average: p.IsAverage,
				Recent: convert(p.Recent, func(r loadstats.Recent) report.LoadInterval {
					return report.LoadInterval{Start: r.Start, LoadCounts: report.LoadCounts(r.Counts)}
				}),
			}
		}),
	}
}

func denialsOf(since time.Time, list []denials.Denial, dropped uint64) report.Denials {
	return report.Denials{Since: since.UTC(), Dropped: dropped, Denials: convert(list, denials.Denial.Report)}
}
