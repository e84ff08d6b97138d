package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// sameChange is the time within which replicas process the same change.
const sameChange = 5 * time.Second

// changesOf returns the changes of all replicas, the latest first. Each replica has its own part of the sidecars, so the changes of the same
// objects at the same time are one.
func changesOf(replicas []report.Changes) []Change {
	all := []Change{}
	for _, r := range replicas {
		earlier := len(all)
		for _, c := range r.Changes {
			change := changeOf(c)
			same := slices.IndexFunc(all[:earlier], func(o Change) bool {
				return slices.Equal(o.Objects, change.Objects) && o.At.Sub(change.At).Abs() < sameChange
			})
			if same < 0 {
				all = append(all, change)
				continue
			}
			all[same] = all[same].plus(change)
		}
	}
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return all
}

func changeOf(c report.Change) Change {
	change := Change{At: c.At, Sidecars: c.Sidecars, Acknowledged: c.Acknowledged, Rejected: c.Rejected, Open: c.Open, Seconds: c.Took}
	// One batch can have policies, to which the settings of the mesh belong, and other objects.
	for _, policies := range []bool{true, false} {
		for _, o := range c.Objects {
			if isPolicy := entity.Kind(o.Kind).IsPolicy() || o.Kind == string(entity.KindSettings); isPolicy == policies {
				change.Objects = append(change.Objects, nameOf(o))
				change.Policy = change.Policy || policies
			}
		}
	}
	return change
}

// plus adds the part of another replica.
func (c Change) plus(o Change) Change {
	c.Sidecars, c.Acknowledged, c.Rejected, c.Open = c.Sidecars+o.Sidecars, c.Acknowledged+o.Acknowledged, c.Rejected+o.Rejected, c.Open+o.Open
	if c.Seconds == nil || o.Seconds == nil {
		c.Seconds = nil
	} else {
		slowest := max(*c.Seconds, *o.Seconds)
		c.Seconds = &slowest
	}
	return c
}

func nameOf(o report.ChangedObject) string {
	kind, name := o.Kind, o.Name
	if kind == string(entity.KindSettings) {
		kind = kinds.MeshConfigs.Kind
	}
	if o.Namespace != "" {
		name = o.Namespace + "/" + o.Name
	}
	text := strings.TrimSpace(kind + " " + name)
	if o.Removed {
		text += " (removed)"
	}
	return text
}
