package rollout

import (
	"fmt"
	"time"
)

// soakGate is the name of the gate that only time opens.
const soakGate = "Soaked"

func replicasReady(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "ReplicasReady", Message: fmt.Sprintf("%d of %d controllers and %d of %d injectors are ready",
		o.Controller.Ready, o.Controller.Wanted, o.Injector.Ready, o.Injector.Wanted)}
	if !o.Controller.all() || !o.Injector.all() {
		v.State = Waiting
	}
	return v
}

// all says whether every pod is ready; none at all is not.
func (r Replicas) all() bool { return r.Wanted > 0 && r.Ready >= r.Wanted }

func controlPlaneRestarts(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ControlPlaneRestarts"}
	switch {
	case o.Restarts == nil:
		v.State, v.Message = Waiting, "the pods of the control plane cannot be read"
	case *o.Restarts > b.MaxRestarts:
		v.State, v.Message = Failed, fmt.Sprintf("containers of the control plane were restarted %d times, more than %d", *o.Restarts, b.MaxRestarts)
	default:
		v.Message = fmt.Sprintf("containers of the control plane were restarted %d times", *o.Restarts)
	}
	return v
}

func proxiesConnected(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "ProxiesConnected"}
	if o.Proxies == nil {
		v.State, v.Message = Waiting, "the control plane does not tell which sidecars are connected"
		return v
	}
	v.Message = fmt.Sprintf("%d of %d sidecars are connected", o.Proxies.Connected, o.Proxies.Live)
	if o.Proxies.Connected < o.Proxies.Live {
		v.State = Waiting
	}
	return v
}

func configurationAccepted(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ConfigurationAccepted"}
	switch {
	case o.Proxies == nil:
		v.State, v.Message = Waiting, "the control plane does not tell what sidecars reject"
	case o.Proxies.Rejected > b.MaxRejected:
		v.State = Failed
		v.Message = fmt.Sprintf("%d sidecars reject their configuration, more than %d: %s", o.Proxies.Rejected, b.MaxRejected, o.Proxies.Example)
	default:
		v.Message = fmt.Sprintf("%d sidecars reject their configuration", o.Proxies.Rejected)
	}
	return v
}

func certificatesValid(o Observation, _ Bounds) Verdict {
	v := Verdict{Gate: "CertificatesValid", Message: "the certificates of all sidecars are valid"}
	switch {
	case o.CertificatesUntil == nil:
		v.State, v.Message = Waiting, "the control plane does not tell how long certificates are valid"
	case !o.CertificatesUntil.IsZero() && !o.CertificatesUntil.After(o.Now):
		v.State, v.Message = Failed, fmt.Sprintf("the certificate of a sidecar ended at %s", o.CertificatesUntil.Format(time.RFC3339))
	}
	return v
}

// errorRate compares with before, beyond what may be accident. A version that cannot tell how many requests fail is taken for one
// without failures, so that what comes after it is judged by the stricter measure.
func errorRate(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "ErrorRate"}
	if o.Mute {
		v.Message = "this earlier version cannot tell how many requests fail"
		return v
	}
	if o.Requests == nil {
		v.State, v.Message = Waiting, "the sidecars' load reports cannot be read"
		return v
	}
	before := 0.0
	if o.Baseline != nil {
		before = *o.Baseline
	}
	v.Message = fmt.Sprintf("%.2f%% of requests fail (%d of %d in the last minute), %.2f%% did before",
		100*o.Requests.ErrorRate(), o.Requests.Failed, o.Requests.Issued, 100*before)
	if o.Requests.exceeds(before + b.MaxErrorRateIncrease) {
		v.State = Failed
		v.Message += fmt.Sprintf(", which is more than %.2f points above", 100*b.MaxErrorRateIncrease)
	}
	return v
}

// prometheusErrorRate judges what a Prometheus says as errorRate judges the load reports.
func prometheusErrorRate(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: "PrometheusErrorRate", Message: "no Prometheus is asked"}
	p := o.Prometheus
	switch {
	case p == nil:
		return v
	case p.ErrorRate == nil:
		v.State = Waiting
		v.Message = fmt.Sprintf("the Prometheus at %s does not tell how many requests fail: %s; correct spec.upgrade.gates.prometheus, or remove it", p.Address, p.Reason)
		return v
	}
	v.Message = fmt.Sprintf("by the Prometheus at %s %.2f%% of requests fail, %.2f%% did before", p.Address, 100**p.ErrorRate, 100*p.Baseline)
	if *p.ErrorRate > p.Baseline+b.MaxErrorRateIncrease {
		v.State = Failed
		v.Message += fmt.Sprintf(", which is more than %.2f points above", 100*b.MaxErrorRateIncrease)
	}
	return v
}

func soaked(o Observation, b Bounds) Verdict {
	v := Verdict{Gate: soakGate, Message: fmt.Sprintf("everything has been well for %s", b.Soak)}
	if o.WellSince.IsZero() || o.WellSince.Add(b.Soak).After(o.Now) {
		v.State, v.Message = Waiting, fmt.Sprintf("everything must be well for %s", b.Soak)
	}
	return v
}
