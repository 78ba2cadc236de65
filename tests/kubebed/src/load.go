package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// sendLoad starts requests at a steady rate, whether or not earlier ones have
// been answered, and prints how they fared each five seconds. With `fresh`, each
// has a connection of its own: kept ones stay with the pods they have found.
func sendLoad(address string, rps float64, length time.Duration, fresh bool) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("load: %s is not a loopback address", u.Host)
	}
	if rps <= 0 || rps > 2000 || length <= 0 || length > 30*time.Minute {
		return errors.New("load: --rps up to 2000, --for up to 30m")
	}
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 512, DisableKeepAlives: fresh}}
	type answer struct {
		code int
		took time.Duration
	}
	answers := make(chan answer, 4096)
	start := time.Now()
	go func() {
		var open sync.WaitGroup
		for i := 0; ; i++ {
			at := start.Add(time.Duration(float64(i) / rps * float64(time.Second)))
			if at.Sub(start) >= length {
				break
			}
			time.Sleep(time.Until(at))
			open.Go(func() {
				begin := time.Now()
				resp, err := client.Get(address)
				a := answer{took: time.Since(begin)}
				if err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					a.code, a.took = resp.StatusCode, time.Since(begin)
				}
				answers <- a
			})
		}
		open.Wait()
		close(answers)
	}()
	var took []time.Duration
	codes := map[int]int{}
	report := func() {
		if len(took) > 0 {
			slices.Sort(took)
			fmt.Printf("%5.0fs  n=%d  p50=%s  p95=%s  codes=%v\n", time.Since(start).Seconds(), len(took),
				took[len(took)/2].Round(time.Millisecond), took[len(took)*95/100].Round(time.Millisecond), codes)
		}
		took, codes = nil, map[int]int{}
	}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case a, ok := <-answers:
			if !ok {
				report()
				return nil
			}
			took = append(took, a.took)
			codes[a.code]++
		case <-tick.C:
			report()
		}
	}
}
