-- Exact limits that SQL lacks: quantiles of the gamma distribution, and with them Poisson limits.
-- Checked against an independent implementation to 1e-9 in tests/integration/test_equity_sql_functions.py.
create schema statistics;
comment on schema statistics is 'Functions that Postgres 17 lacks: gamma quantiles and the exact Poisson limits built on them.';

-- ln Gamma(x), x > 0. Lanczos (1964) approximation with g = 7 and nine terms: relative error below 1e-14.
create function statistics.log_gamma(x double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
    series double precision;
    shifted double precision := x - 1;
    base double precision := x + 6.5;
begin
    if x <= 0 then
        raise exception 'statistics.log_gamma: the argument must be above zero';
    end if;
    series := 0.99999999999980993
        + 676.5203681218851 / (shifted + 1) - 1259.1392167224028 / (shifted + 2)
        + 771.32342877765313 / (shifted + 3) - 176.61502916214059 / (shifted + 4)
        + 12.507343278686905 / (shifted + 5) - 0.13857109526572012 / (shifted + 6)
        + 9.9843695780195716e-6 / (shifted + 7) + 1.5056327351493116e-7 / (shifted + 8);
    return 0.91893853320467274178 + ln(series) + (shifted + 0.5) * ln(base) - base;
end $$;
comment on function statistics.log_gamma is 'Natural logarithm of the gamma function for x > 0.';

-- P(shape, x): share of a gamma distribution (scale 1) at or below x.
-- Power series (DLMF 8.7.1) below shape + 1, continued fraction (DLMF 8.9.2, modified Lentz) above.
create function statistics.gamma_cdf(shape double precision, x double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
    front double precision;
    term double precision;
    total double precision;
    b double precision;
    c double precision;
    d double precision;
    a double precision;
    i integer := 0;
begin
    if x <= 0 then
        return 0;
    end if;
    front := exp(greatest(shape * ln(x) - x - statistics.log_gamma(shape), -700));
    if x < shape + 1 then
        term := 1 / shape;
        total := term;
        loop
            i := i + 1;
            term := term * x / (shape + i);
            total := total + term;
            exit when term < total * 1e-17 or i > 1000000;
        end loop;
        return least(total * front, 1);
    end if;
    b := x + 1 - shape;
    c := 1e300;
    d := 1 / b;
    total := d;
    loop
        i := i + 1;
        a := i * (shape - i);
        b := b + 2;
        d := a * d + b;
        d := 1 / case when abs(d) < 1e-290 then 1e-290 else d end;
        c := b + a / c;
        if abs(c) < 1e-290 then
            c := 1e-290;
        end if;
        total := total * d * c;
        exit when abs(d * c - 1) < 1e-16 or i > 1000000;
    end loop;
    return 1 - front * total;
end $$;
comment on function statistics.gamma_cdf is 'Share of a gamma distribution with this shape and scale 1 at or below x.';

-- The x with P(shape, x) = p. Starts at Wilson and Hilferty (1931), then Halley steps kept above zero.
create function statistics.gamma_quantile(p double precision, shape double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
    z double precision;
    t double precision;
    x double precision;
    step double precision;
    log_density double precision;
    off double precision;
begin
    if p <= 0 or p >= 1 or shape <= 0 then
        raise exception 'statistics.gamma_quantile: p must lie between 0 and 1 and shape above 0';
    end if;
    -- Normal quantile to about 5e-4 (Abramowitz and Stegun 26.2.23): good enough to start from.
    t := sqrt(-2 * ln(least(p, 1 - p)));
    z := t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    if p < 0.5 then
        z := -z;
    end if;
    x := shape * (1 - 1 / (9 * shape) + z / (3 * sqrt(shape))) ^ 3;
    if x <= 0 or shape < 1 then
        x := exp((ln(p) + statistics.log_gamma(shape + 1)) / shape);
    end if;
    for i in 1..60 loop
        log_density := (shape - 1) * ln(x) - x - statistics.log_gamma(shape);
        off := (statistics.gamma_cdf(shape, x) - p) / exp(greatest(log_density, -690));
        step := off / greatest(1 - 0.5 * least(1, off * ((shape - 1) / x - 1)), 0.5);
        x := case when x - step <= 0 then x / 2 else x - step end;
        exit when abs(step) < 1e-14 * x;
    end loop;
    return x;
end $$;
comment on function statistics.gamma_quantile is 'The value below which a share p of a gamma distribution with this shape and scale 1 lies.';

-- Exact (Garwood 1936) limits for the mean of a Poisson count.
create function statistics.poisson_lower(events bigint, confidence double precision default 0.95) returns double precision
language sql immutable strict parallel safe as $$
    select case when events = 0 then 0.0 else statistics.gamma_quantile((1 - confidence) / 2, events) end
$$;
create function statistics.poisson_upper(events bigint, confidence double precision default 0.95) returns double precision
language sql immutable strict parallel safe as $$
    select statistics.gamma_quantile(1 - (1 - confidence) / 2, events + 1)
$$;
comment on function statistics.poisson_lower is 'Lower exact limit (Garwood) for the mean of a Poisson count; 0 for no events.';
comment on function statistics.poisson_upper is 'Upper exact limit (Garwood) for the mean of a Poisson count.';

grant usage on schema statistics to transformer;
