package report

import (
	"cmp"
	"slices"
)

// Role is what an Envoy does among those of its pod.
type Role string

// The roles. An Envoy that starts has no connections yet; one that drains has those from before the handover.
const (
	Serving  Role = "serving"
	Starting Role = "starting"
	Draining Role = "draining"
)

// Pods groups Envoys by their pods, in the order of the first of each. The Envoys of all replicas belong in one call, because those of a pod may be
// connected to different replicas.
func Pods(proxies []Proxy) [][]Proxy {
	var pods [][]Proxy
	indexes := make(map[string]int, len(proxies))
	for _, p := range proxies {
		i, known := indexes[p.UID]
		if !known || p.UID == "" {
			i = len(pods)
			indexes[p.UID] = i
			pods = append(pods, nil)
		}
		pods[i] = append(pods[i], p)
	}
	return pods
}

// CountPods counts each pod once, by the worst state of its Envoys: connections of both are under the same policies, and an Envoy that starts and
// rejects its configuration shows what a version is worth.
func CountPods(proxies []Proxy) Counts {
	var sum Counts
	for _, pod := range Pods(proxies) {
		sum = sum.Plus(CountPod(pod))
	}
	return sum
}

// CountPod returns the counts of one pod.
func CountPod(pod []Proxy) Counts {
	var all Counts
	for _, p := range pod {
		all = all.Plus(p.Counts())
	}
	switch {
	case all.Rejecting > 0:
		return Counts{Connected: 1, Rejecting: 1}
	case all.Behind > 0:
		return Counts{Connected: 1, Behind: 1}
	}
	return Counts{Connected: min(all.Connected, 1), UpToDate: min(all.UpToDate, 1)}
}

// RoleOf returns the role of an Envoy of a pod. The one with the highest epoch serves, of those that have had their whole configuration. Without any, that
// with the lowest epoch does: a pod that starts has one.
func RoleOf(p Proxy, pod []Proxy) Role {
	serving := slices.MaxFunc(append([]Proxy{p}, pod...), func(a, b Proxy) int { return CompareServing(a.Complete, a.Epoch, b.Complete, b.Epoch) })
	switch {
	case p.Epoch > serving.Epoch:
		return Starting
	case p.Epoch < serving.Epoch:
		return Draining
	}
	return Serving
}

// CompareServing compares two Envoys of a pod: the greater one serves, if one of the two does. Complete is whether it has had its whole configuration.
func CompareServing(complete bool, epoch uint64, otherComplete bool, otherEpoch uint64) int {
	switch {
	case complete && !otherComplete:
		return 1
	case !complete && otherComplete:
		return -1
	case complete:
		return cmp.Compare(epoch, otherEpoch)
	}
	return cmp.Compare(otherEpoch, epoch)
}
