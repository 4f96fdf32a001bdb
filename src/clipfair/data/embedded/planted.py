"""The probabilities that the settings of the pretraining pairs imply, and the associations they plant."""

import pandas as pd

from clipfair.data.embedded.web_settings import Proxy, Rates, WebSettings


def gender_shares(settings: WebSettings) -> tuple[float, float]:
    """The share of images whose person or owner is a man, and a woman."""
    owned = (1 - settings.share_people) * settings.owned
    men = settings.share_people * settings.share_men + owned * settings.share_men_owners
    return men, settings.share_people + owned - men


def occupation_rates(settings: WebSettings) -> dict[str, Rates]:
    """P(occupation | gender), at the settings ``association`` and ``frequency``."""
    return {name: _at_strength(settings, rates) for name, rates in settings.occupations.items()}


def proxy_rates(settings: WebSettings) -> dict[str, Rates]:
    """P(proxy | gender, another occupation or none), at the settings ``association`` and ``frequency``."""
    return {name: _at_strength(settings, proxy) for name, proxy in settings.proxies.items()}


def ungendered_rate(settings: WebSettings, rates: Rates) -> float:
    """The probability of an occupation or proxy with these rates, given neither person nor owner."""
    return settings.ungendered * _mean(settings, rates)


def planted_associations(settings: WebSettings) -> pd.DataFrame:
    """The association of each occupation and proxy with gender, in closed form.

    Returns
    -------
    One row for each occupation and proxy: ``attribute`` (``occupation=nurse``), ``given_man``,
    ``given_woman``, ``given_none`` (its probability given each gender, of a person or an owner, and
    given neither) and ``association``: its probability given a man less that given anything else
    (Definition 2 with s = man).
    """
    rows = []
    occupations = occupation_rates(settings)
    for name, rates in occupations.items():
        rows.append((f"occupation={name}", rates.men, rates.women, ungendered_rate(settings, rates)))
    for name, others in proxy_rates(settings).items():
        proxy = settings.proxies[name]
        work = occupations[proxy.occupation]
        pairs = (
            (work.men, others.men),
            (work.women, others.women),
            (ungendered_rate(settings, work), ungendered_rate(settings, others)),
        )
        given = [at_work * proxy.with_occupation + (1 - at_work) * rest for at_work, rest in pairs]
        rows.append((f"proxy={name}", *given))
    planted = pd.DataFrame(rows, columns=["attribute", "given_man", "given_woman", "given_none"])
    men, women = gender_shares(settings)
    others = (planted["given_woman"] * women + planted["given_none"] * (1 - men - women)) / (1 - men)
    return planted.assign(association=planted["given_man"] - others)


def _mean(settings: WebSettings, rates: Rates | Proxy) -> float:
    men, women = gender_shares(settings)
    return (men * rates.men + women * rates.women) / (men + women)


def _at_strength(settings: WebSettings, rates: Rates | Proxy) -> Rates:
    """The rates moved towards their mean, which stays the same, and then all made rarer."""
    mean = _mean(settings, rates)
    men, women = (mean + settings.association * (rate - mean) for rate in (rates.men, rates.women))
    return Rates(men=settings.frequency * men, women=settings.frequency * women)
