package main

import (
	"context"
	"time"
)

// leaveTime is how long a control plane that was told to stop still serves: until nobody is led to it any more.
const leaveTime = 5 * time.Second

// linger returns a context that ends a while after ctx does, or when end is called.
func linger(ctx context.Context, while time.Duration) (last context.Context, end context.CancelFunc) {
	last, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(while, end) })
	return last, end
}
