package execution

import (
	"context"
	"errors"
	"sync/atomic"
)

// outage is a store that can be away.
type outage struct {
	Store
	away atomic.Bool
	// calls count what was asked while it was not.
	calls atomic.Int64
}

var errAway = errors.New("redis: timeout")

func (o *outage) err() error {
	if o.away.Load() {
		return errAway
	}
	o.calls.Add(1)
	return nil
}

func (o *outage) Create(ctx context.Context, w Write) error {
	return cmpOr(o.err(), func() error { return o.Store.Create(ctx, w) })
}

func (o *outage) Update(ctx context.Context, w Write) (Mark, error) {
	if err := o.err(); err != nil {
		return 0, err
	}
	return o.Store.Update(ctx, w)
}

func (o *outage) Get(ctx context.Context, subject, id string) (Execution, error) {
	if err := o.err(); err != nil {
		return Execution{}, err
	}
	return o.Store.Get(ctx, subject, id)
}

func (o *outage) List(ctx context.Context, subject string, limit int) ([]Execution, error) {
	if err := o.err(); err != nil {
		return nil, err
	}
	return o.Store.List(ctx, subject, limit)
}

func (o *outage) Events(ctx context.Context, subject, id string, after int) (Execution, []Event, error) {
	if err := o.err(); err != nil {
		return Execution{}, nil, err
	}
	return o.Store.Events(ctx, subject, id, after)
}

func (o *outage) Cancel(ctx context.Context, subject, id string) (Execution, error) {
	if err := o.err(); err != nil {
		return Execution{}, err
	}
	return o.Store.Cancel(ctx, subject, id)
}

func (o *outage) Begin(ctx context.Context, c Claim) (Attempt, error) {
	if err := o.err(); err != nil {
		return Attempt{}, err
	}
	return o.Store.Begin(ctx, c)
}

func (o *outage) Settle(ctx context.Context, c Claim, answer []byte) error {
	return cmpOr(o.err(), func() error { return o.Store.Settle(ctx, c, answer) })
}

func (o *outage) Release(ctx context.Context, c Claim) error {
	return cmpOr(o.err(), func() error { return o.Store.Release(ctx, c) })
}

func (o *outage) Forget(ctx context.Context, subject, id string) error {
	return cmpOr(o.err(), func() error { return o.Store.Forget(ctx, subject, id) })
}

func cmpOr(err error, otherwise func() error) error {
	if err != nil {
		return err
	}
	return otherwise()
}
