package dataplane

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reversedCache lists everything in the opposite order. Informers keep no order.
type reversedCache struct{ cache.Cache }

func (c reversedCache) List(ctx context.Context, list client.ObjectList, o ...client.ListOption) error {
	err := c.Cache.List(ctx, list, o...)
	items, extracted := meta.ExtractList(list)
	slices.Reverse(items)
	return errors.Join(err, extracted, meta.SetList(list, items))
}
