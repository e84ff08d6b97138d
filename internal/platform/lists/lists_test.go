package lists_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

func TestListsOfLists(t *testing.T) {
	numbers := []int{3, 1, 2, 1}
	isOdd := func(n int) bool { return n%2 == 1 }
	upTo := func(n int) []int { return make([]int, n) }
	for name, got := range map[string][2]any{
		"map":            {lists.Map(numbers, strconv.Itoa), []string{"3", "1", "2", "1"}},
		"map nothing":    {lists.Map([]int{}, strconv.Itoa), []string(nil)},
		"flat map":       {lists.FlatMap([]int{1, 0, 2}, upTo), []int{0, 0, 0}},
		"flat nothing":   {lists.FlatMap([]int{0}, upTo), []int(nil)},
		"filter":         {lists.Filter(numbers, isOdd), []int{3, 1, 1}},
		"filter nothing": {lists.Filter([]int{2}, isOdd), []int(nil)},
		"join all":       {lists.Join([]string{"b", "a"}, 2), "b, a"},
		"join some":      {lists.Join([]string{"c", "b", "a", "d"}, 2), "c, b and 2 more"},
		"join nothing":   {lists.Join(nil, 2), ""},
		"unique":         {lists.Unique([]string{"b", "a", "b"}), []string{"a", "b"}},
		"unique func":    {lists.UniqueFunc([]string{"b", "a", "b"}, strings.Compare), []string{"a", "b"}},
	} {
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("%s: got %#v, want %#v", name, got[0], got[1])
		}
	}
	if !reflect.DeepEqual(numbers, []int{3, 1, 2, 1}) {
		t.Errorf("the list was changed: %v", numbers)
	}
}
