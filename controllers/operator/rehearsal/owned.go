package rehearsal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
)

// tree are fields that somebody owns, as metadata.managedFields has them: "f:<field>" below maps, "k:<keys>" for items of lists.
type tree = map[string]any

// ownedBy are the fields that the Applier owns, and those of each other manager.
func ownedBy(entries []metav1.ManagedFieldsEntry) (own tree, others []tree) {
	for _, entry := range entries {
		var fields tree
		if entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		if entry.Manager == apply.FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			own = fields
		} else {
			others = append(others, fields)
		}
	}
	return own, others
}

// treeOf are the fields that somebody owns who has applied a value.
func treeOf(value any) tree {
	t := tree{}
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			t["f:"+key] = treeOf(below)
		}
	case []any:
		for _, item := range v {
			if m, ok := item.(map[string]any); ok && m["name"] != nil {
				keys, err := json.Marshal(map[string]any{"name": m["name"]})
				if err == nil {
					t["k:"+string(keys)] = treeOf(item)
				}
			}
		}
	}
	return t
}

// giveUp takes out of live what is owned, is not desired any more, and is nobody else's, as an API server does when it is applied.
// It changes live's maps and returns it.
func giveUp(live, desired any, own tree, others []tree) any {
	switch l := live.(type) {
	case map[string]any:
		d, _ := desired.(map[string]any)
		for key, below := range own {
			name, isField := strings.CutPrefix(key, "f:")
			value, has := l[name]
			if !isField || !has {
				continue
			}
			wanted, kept := d[name]
			sub, _ := below.(tree)
			if value = giveUp(value, wanted, sub, belowAll(others, key)); kept || anyHas(others, key) || !empty(value, sub) {
				l[name] = value
			} else {
				delete(l, name)
			}
		}
	case []any:
		d, _ := desired.([]any)
		for key, below := range own {
			keys, isItem := strings.CutPrefix(key, "k:")
			at := indexOf(l, keys)
			if !isItem || at < 0 {
				continue
			}
			if to := indexOf(d, keys); to >= 0 {
				sub, _ := below.(tree)
				l[at] = giveUp(l[at], d[to], sub, belowAll(others, key))
			} else if !anyHas(others, key) {
				l = slices.Delete(l, at, at+1)
			}
		}
		return l
	}
	return live
}

// empty says whether nothing is left of a value whose fields were owned: a leaf was owned as a whole.
func empty(value any, own tree) bool {
	if !slices.ContainsFunc(keysOf(own), func(key string) bool { return strings.HasPrefix(key, "f:") || strings.HasPrefix(key, "k:") }) {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return true
}

func keysOf(t tree) []string {
	var keys []string
	for key := range t {
		keys = append(keys, key)
	}
	return keys
}

func belowAll(trees []tree, key string) []tree {
	var below []tree
	for _, t := range trees {
		if sub, ok := t[key].(tree); ok {
			below = append(below, sub)
		}
	}
	return below
}

func anyHas(trees []tree, key string) bool { return len(belowAll(trees, key)) > 0 }

// indexOf finds the item of a list that has the keys of a JSON object; -1 when there is none.
func indexOf(list []any, keys string) int {
	var wanted map[string]any
	if json.Unmarshal([]byte(keys), &wanted) != nil || len(wanted) == 0 {
		return -1
	}
	return slices.IndexFunc(list, func(item any) bool {
		m, ok := item.(map[string]any)
		for key, value := range wanted {
			ok = ok && fmt.Sprint(m[key]) == fmt.Sprint(value)
		}
		return ok
	})
}
