package resource

import (
	"encoding/base64"
	"testing"
)

// TestMarksOfPermissions checks that a mark is read again, and that what is none is dropped.
func TestMarksOfPermissions(t *testing.T) {
	c, mark := listenerOf(t), NextMark("", "x")
	if c.WithMark("") != c {
		t.Error("permissions without a mark have another version")
	}
	marked := c.WithMark(mark)
	if permissions, got := CutMark(marked.WireVersion()); permissions != c.Hash().String() || got != mark || marked.Hash() != c.Hash() {
		t.Errorf("%q is read as %q and %q", marked.WireVersion(), permissions, got)
	}
	for _, bad := range []string{"", ";", ";" + mark[2:], ";" + mark + "0", ";" + mark + "00", ";not hexadecimal"} {
		if permissions, got := CutMark("hash" + bad); permissions != "hash" || got != "" {
			t.Errorf("%q is read as %q and %q", "hash"+bad, permissions, got)
		}
	}
}

// TestLosesPrincipal_Unknown compares versions without a list, or with a damaged one, by their hashes.
func TestLosesPrincipal_Unknown(t *testing.T) {
	one, two := hash([]byte("one")), hash([]byte("two"))
	list := permissionsVersion(one, []string{"a"})
	seven := base64.RawStdEncoding.EncodeToString(make([]byte, 7))
	for name, test := range map[string]struct {
		held, current string
		want          bool
	}{
		"the same":            {one.String(), one.String(), false},
		"other hashes":        {one.String(), two.String(), true},
		"a list was unknown":  {two.String(), list, true},
		"a list is unknown":   {list, two.String(), true},
		"a list was added":    {one.String(), list, false},
		"a list was removed":  {list, one.String(), false},
		"damaged at its end":  {list + "!", list, false},
		"damaged, and others": {list + "!", permissionsVersion(two, []string{"a"}), true},
		"of another length":   {one.String() + "=" + seven, permissionsVersion(two, nil), true},
	} {
		if got := LosesPrincipal(test.held, test.current); got != test.want {
			t.Errorf("%s: a principal is lost is %t", name, got)
		}
	}
}
